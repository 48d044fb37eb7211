"""Existing machines into manifests, and manifests into libvirt's XML. Pure: text in, values out."""
