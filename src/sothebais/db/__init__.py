"""PostgreSQL: connections, declarative base, migrations."""
