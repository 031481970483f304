"""The payment confirmation monitor: it watches receiving accounts, and tells a sink what it saw.

It sees, it does not decide: no payment, no status, no ledger is known here. One tick costs one call for each watched
account and one for each new signature, however many payments are open.
"""

from gateway.monitor.audit import AuditReport, Gap
from gateway.monitor.monitor import Monitor, TickReport
from gateway.monitor.watches import add_watch

__all__ = ["AuditReport", "Gap", "Monitor", "TickReport", "add_watch"]
