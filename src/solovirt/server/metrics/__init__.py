"""Prometheus metrics: KubeVirt's names, this host's figures."""
