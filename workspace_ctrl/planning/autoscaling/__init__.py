"""How InferenceSets are scaled by load: the ScaledObject, with which KEDA does it."""
