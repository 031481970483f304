"""What the bank does, a file for each resource: `OPERATIONS` by Stripe's operation, `DUE` by what falls due."""
