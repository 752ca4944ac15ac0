//! The operator web interface, built and embedded.
