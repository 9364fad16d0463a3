"""Pictures of the dashboards, and the world of models that they and the tests show."""
