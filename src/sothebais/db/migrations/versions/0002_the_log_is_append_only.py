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
        create view audit with (security_invoker = true) as
        select e.id, e.timestamp as at, (e.data ->> 'actor')::uuid as actor_id,
               coalesce(e.data ->> 'action', e.type) as action, coalesce(e.data ->> 'target', e.subject) as subject,
               coalesce(e.data ->> 'reason', e.data ->> 'cause') as reason, e.type, e.source, e.correlation_id, e.data
        from event_logs e
        where e.data ->> 'actor' is not null
          and (e.type <> 'user:action' or e.data ->> 'role' in ('OPERATOR', 'ADMIN'))
    """)


def downgrade() -> None:
    op.execute("drop view audit")
    op.execute("drop trigger event_logs_no_truncate on event_logs")
    op.execute("drop trigger event_logs_append_only on event_logs")
    op.execute("drop function refuse_log_change()")
