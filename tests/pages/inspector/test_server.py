"""The live inspector answers this machine only, and shows errors as text; no browser is needed here."""

import json
import sys
import threading

import pytest

from tl_experts.errors import TLExpertsError
from tl_experts.pages.inspector.live import Live
from tl_experts.pages.inspector.server import Loading, make_app

PAGE = "<p>the page of the experts</p>"
COUNTS = {"en": 5, "ja": 5}


@pytest.fixture(scope="module")
def loading(llama, experts, responses):
    return Loading(lambda: Live(llama, experts, responses))


@pytest.fixture(scope="module")
def client(loading):
    pytest.importorskip("dash")
    return make_app(PAGE, loading, COUNTS).server.test_client()


def asked(client, output: str, inputs: dict[str, object], states: dict[str, object] | None = None) -> str:
    """The JSON that a callback of the page answers, given the values of its inputs and states."""
    name, attribute = output.split(".")

    def listed(values):
        names = [key.split(".") for key in values]
        return [
            {"id": there, "property": attribute, "value": value}
            for (there, attribute), value in zip(names, values.values(), strict=True)
        ]

    body = {
        "output": output,
        "outputs": {"id": name, "property": attribute},
        "inputs": listed(inputs),
        "state": listed(states or {}),
        "changedPropIds": [next(iter(inputs))],
    }
    answer = client.post("/_dash-update-component", json=body)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(
    ("name", "status"),
    [("127.0.0.1:8050", 200), ("localhost", 200), ("[::1]:8050", 200), ("evil.example", 403), ("127.0.0.1.evil", 403)],
)
def test_requests_must_name_this_machine(name, status, client):
    for address in ("/", "/experts", "/_dash-layout"):
        assert client.get(address, headers={"Host": name}).status_code == status


def test_a_server_for_every_address_answers_to_any_name(loading):
    pytest.importorskip("dash")
    client = make_app(PAGE, loading, COUNTS, host="0.0.0.0").server.test_client()
    assert client.get("/experts", headers={"Host": "a.name.of.the.network"}).status_code == 200


def test_the_page_of_the_experts_is_served_from_memory(client):
    answer = client.get("/experts")
    assert (answer.text, answer.mimetype) == (PAGE, "text/html")
    for path in ("/experts/../settings.json", "/assets/x", "/etc/passwd"):
        assert PAGE not in client.get(path).text


def test_a_neuron_is_shown_with_its_scores(client):
    answer = asked(client, "neuron-view.children", {"neuron.value": "L1 N9"})
    assert "AUROC" in answer
    assert all(f'"{language}"' in answer for language in ("en", "de", "ru", "ja"))


@pytest.mark.parametrize(
    ("text", "message"),
    [("nonsense", "write it as L12 N847"), ("", "write it as L12 N847"), ("L9 N0", "layers are 0 to 1")],
)
def test_an_error_is_a_sentence_on_the_page(text, message, client):
    assert message in asked(client, "neuron-view.children", {"neuron.value": text})


def test_the_slider_reaches_half_as_far_again_as_the_responses(client, responses):
    outputs = "..value.min...value.max...value.value...value.step.."
    body = {
        "output": outputs,
        "outputs": [{"id": "value", "property": name} for name in ("min", "max", "value", "step")],
        "inputs": [{"id": "one", "property": "value", "value": "L0 N4"}],
        "changedPropIds": ["one.value"],
    }
    found = json.loads(client.post("/_dash-update-component", json=body).text)["response"]["value"]
    values = responses.values[:, 4]
    low, high = float(values.min()), float(values.max())
    more = (high - low) / 2
    step = found["step"]
    assert found["min"] == pytest.approx(low - more, abs=step)
    assert found["max"] == pytest.approx(high + more, abs=step)
    assert found["value"] == pytest.approx(high, abs=step)
    assert step < (high - low) / 20


def test_a_model_that_cannot_be_loaded_is_said_to_everyone_who_asks():
    def fail():
        raise OSError("no such model")

    loading = Loading(fail)
    for _ in range(2):
        with pytest.raises(TLExpertsError, match="could not be loaded: no such model"):
            loading.get()


def test_a_question_waits_for_the_model_and_gives_up_in_the_end(loading, monkeypatch):
    assert isinstance(loading.get(), Live)
    never = threading.Event()
    monkeypatch.setattr("tl_experts.pages.inspector.server.WAIT", 0.01)
    with pytest.raises(TLExpertsError, match=r"not loaded after 0\.01 s"):
        Loading(never.wait).get()
    never.set()


def test_without_dash_the_error_names_the_command_that_installs_it(loading, monkeypatch):
    monkeypatch.setitem(sys.modules, "dash", None)
    with pytest.raises(TLExpertsError, match=r"pip install 'tl-experts\[inspect\]'"):
        make_app(PAGE, loading, COUNTS)
