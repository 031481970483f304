"""The cellar: databases, every table with its owner, column types, migrations. Knows nothing of payments."""
