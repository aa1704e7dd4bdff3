"""The only place with Optuna: studies, claims, suggestions, ends."""
