//! From a finished call to what stands in the CRM.
