//! The test of the tests: with walls taken away, the suite must find what they held back.
