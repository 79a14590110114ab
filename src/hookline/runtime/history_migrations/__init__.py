"""The history store's tables, change by change: Alembic's folder. `hookline.runtime.history_schema` runs it."""
