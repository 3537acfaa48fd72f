"""Passes: functions that look at a tree and propose edits that make the layer smaller or faster to start."""
