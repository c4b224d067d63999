//! Killed at any moment, the CRM holds each thing once.
