//! A call and what the CRM knows → what is asked of the CRM.
