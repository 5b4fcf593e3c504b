"""The log is append-only: the database refuses to change, remove or truncate what was written."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create function refuse_log_change() returns trigger language plpgsql as $$
        begin
          raise exception 'event_logs is append-only: % is refused', tg_op using errcode = 'insufficient_privilege';
        end $$
    """)
    op.execute("""
        create trigger event_logs_append_only before update or delete on event_logs
        for each row execute function refuse_log_change()
    """)
    op.execute("""
        create trigger event_logs_no_truncate before truncate on event_logs
        for each statement execute function refuse_log_change()
    """)
    # every step a person of the staff took, whatever it was about
    op.execute("""
        create view audit as
        select id, timestamp, type, subject, data ->> 'actor' as actor,
               coalesce(data ->> 'reason', data ->> 'cause') as reason, data, correlation_id
        from event_logs where data ->> 'actor' is not null
    """)


def downgrade() -> None:
    op.execute("drop view audit")
    op.execute("drop trigger event_logs_no_truncate on event_logs")
    op.execute("drop trigger event_logs_append_only on event_logs")
    op.execute("drop function refuse_log_change()")
