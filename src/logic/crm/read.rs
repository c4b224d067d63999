//! JSON of amoCRM → contacts, companies, leads, users, pipelines; lenient about types.
