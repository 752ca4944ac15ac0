//! Both services together: isolation, scenarios, faults, browser.
