"""The model name an upstream gets (behaviour 6.2, step 3)."""

from collections.abc import Mapping


def renamed(model: str, mapping: Mapping[str, str]) -> str:
    """The name that `mapping` has for `model`: exact, else by the longest prefix, else unchanged.

    A key ending in `*` is a prefix. The result is not looked up again.
    """
    if not mapping:
        return model
    exact = mapping.get(model)
    if exact is not None:
        return exact
    fitting = [key for key in mapping if key.endswith("*") and model.startswith(key[:-1])]
    return mapping[max(fitting, key=len)] if fitting else model
