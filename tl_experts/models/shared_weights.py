"""The parameters of a `HookedTransformer` on Hugging Face's own tensors, so that no second copy of the weights exists.

``HookedTransformer.load_and_process_state_dict`` copies, and of weights of 16 bits it holds a second copy in float32 on
the way, also where no processing is asked for: a Llama in bfloat16 took 3.3 times its weights at the peak
(transformer-lens 3.9).
"""

from typing import Any

from torch import Tensor
from torch.nn import Parameter

from tl_experts.models.probe import NotConvertible


def share_weights(model: Any, state: dict[str, Tensor]) -> None:
    """Give each parameter the tensor of its name: the same memory where the dtype fits, else a converted copy.

    Values are those that ``load_state_dict`` would copy. Tensors may be views in any order of memory; a tensor that
    two names share (tied embeddings) is copied for the second, so that changing one parameter changes no other.

    Args:
        model: a `HookedTransformer` whose weights are not set yet.
        state: its state dict without gradients, as converted from Hugging Face's model. Emptied on the way.

    Raises:
        NotConvertible: a tensor has another shape than the parameter, or is of a quantised kind.
    """
    state = model.fill_missing_keys(state)
    parameters = dict(model.named_parameters())
    taken: set[int] = set()
    for name in list(state):
        value = state.pop(name)
        parameter = parameters.get(name)
        if parameter is None:  # a buffer, or nothing that this model has
            model.load_state_dict({name: value}, strict=False)
            continue
        if type(value) not in (Tensor, Parameter):
            raise NotConvertible(f"{name} is a {type(value).__name__}, a tensor of its own kind (quantised?)")
        if value.shape != parameter.shape:
            raise NotConvertible(f"{name} has shape {tuple(value.shape)}, expected {tuple(parameter.shape)}")
        value = value.detach().to(parameter.device, parameter.dtype)
        # A clone is an ordinary tensor, where Hugging Face's was made in inference mode.
        parameter.data = value.clone() if value.data_ptr() in taken or value.is_inference() else value
        taken.add(value.data_ptr())
