"""What workers share: a few atomic steps over named records. See `store`."""
