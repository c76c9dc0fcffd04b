"""Pictures with labels: manifests of files, readers, splits, augmentation and preprocessing."""
