"""The live inspector answers this machine only, and gives errors as text; no browser is needed here."""

import json
import sys

import pytest

from tl_experts import inspect
from tl_experts.errors import ArtefactError, TLExpertsError
from tl_experts.pages.inspector.live import Live
from tl_experts.pages.inspector.loading import Loading
from tl_experts.pages.inspector.server import make_app

COUNTS = {"en": 5, "de": 5, "ru": 5, "ja": 5}


@pytest.fixture(scope="module")
def loading(llama, experts, responses):
    return Loading(lambda say: Live(llama, experts, responses), steps=1)


@pytest.fixture(scope="module")
def page(llama, experts, corpus):
    return inspect(llama, experts, corpus, k=1, progress=False).to_html()


@pytest.fixture(scope="module")
def client(page, loading):
    pytest.importorskip("flask")
    return make_app(page, loading, COUNTS).test_client()


def lines(answer):
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize(
    ("name", "status"),
    [("127.0.0.1:8050", 200), ("localhost", 200), ("[::1]:8050", 200), ("evil.example", 403), ("127.0.0.1.evil", 403)],
)
def test_requests_must_name_this_machine(name, status, client):
    for address in ("/", "/api/loading", "/api/neuron?name=L0N0"):
        assert client.get(address, headers={"Host": name}).status_code == status


def test_a_server_for_every_address_answers_to_any_name(page, loading):
    pytest.importorskip("flask")
    client = make_app(page, loading, COUNTS, host="0.0.0.0").test_client()
    assert client.get("/", headers={"Host": "a.name.of.the.network"}).status_code == 200


def test_the_page_is_served_from_memory_and_may_ask_its_own_server_only(client):
    answer = client.get("/")
    assert answer.mimetype == "text/html"
    assert "connect-src 'self'" in answer.text
    assert "connect-src 'self'; " not in answer.text
    assert '"live":{"counts":{"en":5,' in answer.text
    for path in ("/../settings.json", "/static/x", "/etc/passwd"):
        assert client.get(path).status_code == 404


def test_the_report_is_served_where_there_is_one(page, loading, client):
    assert client.get("/report.html").status_code == 404
    assert '"report":false}' in client.get("/").text
    beside = make_app(page, loading, COUNTS, report="<p>the report").test_client()
    assert beside.get("/report.html").text == "<p>the report"
    assert '"report":true}' in beside.get("/").text


def test_what_is_not_a_page_of_this_version_raises_an_error(loading):
    pytest.importorskip("flask")
    with pytest.raises(ArtefactError, match="tl-experts inspect --save"):
        make_app("<p>an older page</p>", loading, COUNTS)


def test_the_steps_of_loading_end_with_what_the_forms_offer(client):
    *_, ready, offered = lines(client.get("/api/loading"))
    assert ready == {"ready": True}
    assert offered == {"tuned": {}, "layers": [[0, 48], [1, 48]]}


def test_questions_about_a_neuron_are_answered(client):
    first, *rest = lines(client.get("/api/neuron?name=L1 N9"))
    assert first["neuron"] == [1, 9]
    assert any("weights" in line for line in rest)
    assert rest[-1]["distribution"]["tokens"] > 0
    assert client.get("/api/ends?name=L1N9&language=ja").json["language"] == "ja"
    assert "has no 'xx'" in client.get("/api/ends?name=L1N9&language=xx").json["error"]
    assert client.get("/api/scorings?name=L1N9").json["neurons"] == 96
    assert set(client.get("/api/slow_scorings?name=L1N9").json["scorings"]) == {"dln", "probe"}
    assert client.get("/api/expected?sentence=0").json["expected"]
    assert "does not exist" in client.get("/api/expected?sentence=x").json["error"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("nonsense", "write it as L12 N847"), ("", "write it as L12 N847"), ("L9 N0", "layers are 0 to 1")],
)
def test_an_error_is_a_sentence(text, message, client):
    answer = client.get("/api/scorings", query_string={"name": text})
    assert answer.status_code == 400
    assert message in answer.json["error"]
    (only,) = lines(client.get("/api/neuron", query_string={"name": text}))
    assert message in only["error"]


def test_a_prompt_is_continued_line_by_line(client):
    found = lines(client.post("/api/steer", json={"prompt": "The cat", "language": "ja", "k": 2, "tokens": 3}))
    assert [line["side"] for line in found[:-1]] == ["before"] * 3 + ["after"] * 3
    assert found[-1]["logits"]


def test_an_effect_is_measured_line_by_line(client):
    found = lines(client.post("/api/effects", json={"by": "neuron", "neuron": "L0 N1", "value": 0}))
    assert [line["language"] for line in found] == list(COUNTS)


@pytest.mark.parametrize("address", ["/api/steer", "/api/effects"])
def test_the_error_of_a_long_answer_is_its_last_line(address, client):
    (only,) = lines(client.post(address, json={"prompt": "The cat", "by": "magic"}))
    assert "by 'magic' is not known" in only["error"]


@pytest.mark.parametrize("address", ["/api/steer", "/api/effects"])
def test_a_form_of_another_page_cannot_make_it_compute(address, client):
    assert client.post(address, data={"prompt": "The cat"}).status_code == 415
    assert client.post(address, json=["The cat"]).status_code == 400
    assert client.get(address).status_code == 405


def test_without_flask_the_error_names_the_command_that_installs_it(page, loading, monkeypatch):
    monkeypatch.setitem(sys.modules, "flask", None)
    with pytest.raises(TLExpertsError, match=r"pip install 'tl-experts\[inspect\]'"):
        make_app(page, loading, COUNTS)
