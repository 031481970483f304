"""What the plugin keeps: orders, the events that were heard, and the hooks to run."""

from __future__ import annotations

from typing import Any

from django.db import models

from streampay.gateway import OrderRecord


class OrderIdField(models.CharField):
    """An order's number, in which case counts: MariaDB and MySQL compare text without it unless a column says so."""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        """Return what the column is made of."""
        made: dict[str, Any] = super().db_parameters(connection)
        return made | ({"collation": "utf8mb4_bin"} if connection.vendor == "mysql" else {})


class Order(models.Model):
    """One order: `state` is an `OrderRecord`; `context` is the shop's own, for finding again what belongs to it."""

    id = OrderIdField(max_length=120, primary_key=True)
    status = models.CharField(max_length=20)
    state = models.JSONField()
    context = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=0)
    updated_at = models.FloatField()

    class Meta:
        """For the cron job, which looks for the oldest of a status."""

        indexes = (models.Index(fields=["status", "updated_at"], name="streampay_order_waiting"),)

    def __str__(self) -> str:
        return self.id

    @property
    def record(self) -> OrderRecord:
        """The order as the plugin sees it."""
        return OrderRecord.from_dict(self.state)


class Event(models.Model):
    """One delivery that was heard."""

    id = models.CharField(max_length=120, primary_key=True)
    order = models.ForeignKey(Order, models.CASCADE, related_name="events")
    received_at = models.FloatField(db_index=True)

    def __str__(self) -> str:
        return self.id


class Hook(models.Model):
    """One thing to do for an order, once; `due_at` and `done_at` are Unix time in seconds."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="hooks")
    hook = models.CharField(max_length=20)
    subject = models.CharField(max_length=120)
    due_at = models.FloatField()
    failures = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    done_at = models.FloatField(null=True)

    class Meta:
        """A hook is called once for each thing that happens."""

        constraints = (models.UniqueConstraint(fields=["order", "hook", "subject"], name="streampay_hook_once"),)
        indexes = (models.Index(fields=["done_at", "due_at"], name="streampay_hook_due"),)

    def __str__(self) -> str:
        return f"{self.order_id}/{self.hook}/{self.subject}"
