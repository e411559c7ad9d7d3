//! The bodies of the fuzz targets. They are functions of bytes, so that the tests of every build run them too.

pub mod chat;
