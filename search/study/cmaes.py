"""How is the state of CMA-ES read back from the database? Optuna keeps it pickled; a pickle may run any code.

Whoever can write to the database must not make workers execute anything, so only what a CMA-ES is made of is unpickled.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import optuna

from search.errors import InputError

_KNOWN = {
    ("cmaes._cma", "CMA"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return a class of the few that are known."""
        if (module, name) not in _KNOWN:
            raise InputError(
                f"the study's stored CMA-ES state names {module}.{name}, which is no part of it",
                "somebody has changed the database; start another study",
            )
        return super().find_class(module, name)


class CmaEsSampler(optuna.samplers.CmaEsSampler):
    """Optuna's sampler, which unpickles nothing but its own state. `_restore_optimizer` is not public."""

    def _restore_optimizer(self, completed_trials: list[optuna.trial.FrozenTrial]) -> Any:
        for trial in reversed(completed_trials):
            stored = {k: v for k, v in trial.system_attrs.items() if k.startswith(self._attr_key_optimizer)}
            if stored:
                return _Unpickler(io.BytesIO(bytes.fromhex(self._concat_optimizer_attrs(stored)))).load()
        return None
