"""Orders and shipments."""

from typing import ClassVar

from django.db import migrations, models

import shop.models


class Migration(migrations.Migration):
    """Make both tables."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[object]] = [
        migrations.CreateModel(
            "Purchase",
            [
                (
                    "id",
                    models.CharField(default=shop.models.new_id, max_length=16, primary_key=True, serialize=False),
                ),
                ("product", models.CharField(max_length=20)),
                ("amount", models.DecimalField(decimal_places=2, max_digits=9)),
                ("refunded", models.DecimalField(decimal_places=2, default=0, max_digits=9)),
            ],
        ),
        migrations.CreateModel(
            "Shipment",
            [
                (
                    "purchase",
                    models.OneToOneField("shop.purchase", models.PROTECT, primary_key=True, serialize=False),
                ),
                ("payment_id", models.CharField(max_length=40, unique=True)),
            ],
        ),
    ]
