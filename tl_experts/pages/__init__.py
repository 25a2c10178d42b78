"""What people look at: the report of a study, the inspector of experts. Both read saved artefacts."""
