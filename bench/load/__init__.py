"""What the relay costs under load, beside other gateways: `python -m bench.load`."""
