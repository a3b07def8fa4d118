"""A scripted camera, a lossy link and a synthetic clip, for our tests and our users' tests."""
