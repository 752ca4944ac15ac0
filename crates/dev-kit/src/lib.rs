//! What the demo and the system tests share: starting services, PostgreSQL, Tryton, Chromium.
