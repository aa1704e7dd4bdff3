"""PostgreSQL: the embedded server, the URL, our tables, and the locks that say who owns what. Knows no Optuna."""
