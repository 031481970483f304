"""Orders, events and hooks."""

from typing import Any, ClassVar

from django.db import migrations, models
from django.db.models.deletion import CASCADE

from streampay.adapters.django.models import OrderIdField


class Migration(migrations.Migration):
    """Make the three tables."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            "Order",
            [
                ("id", OrderIdField(max_length=120, primary_key=True, serialize=False)),
                ("status", models.CharField(max_length=20)),
                ("state", models.JSONField()),
                ("context", models.JSONField(default=dict)),
                ("version", models.PositiveIntegerField(default=0)),
                ("updated_at", models.FloatField()),
            ],
            options={"indexes": [models.Index(fields=["status", "updated_at"], name="streampay_order_waiting")]},
        ),
        migrations.CreateModel(
            "Event",
            [
                ("id", models.CharField(max_length=120, primary_key=True, serialize=False)),
                ("received_at", models.FloatField(db_index=True)),
                ("order", models.ForeignKey("streampay.order", CASCADE, related_name="events")),
            ],
        ),
        migrations.CreateModel(
            "Hook",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False, auto_created=True, verbose_name="ID")),
                ("hook", models.CharField(max_length=20)),
                ("subject", models.CharField(max_length=120)),
                ("due_at", models.FloatField()),
                ("failures", models.PositiveIntegerField(default=0)),
                ("error", models.CharField(max_length=200, blank=True)),
                ("done_at", models.FloatField(null=True)),
                ("order", models.ForeignKey("streampay.order", CASCADE, related_name="hooks")),
            ],
            options={
                "indexes": [models.Index(fields=["done_at", "due_at"], name="streampay_hook_due")],
                "constraints": [
                    models.UniqueConstraint(fields=["order", "hook", "subject"], name="streampay_hook_once")
                ],
            },
        ),
    ]
