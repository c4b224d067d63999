//! A finished call → what the CRM is asked to do, each with its reason.
