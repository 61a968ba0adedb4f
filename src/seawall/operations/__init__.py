"""What people and programs can order: one file per verb."""
