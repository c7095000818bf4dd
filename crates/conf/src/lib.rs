//! main.cf and master.cf: grammar, expansion, parameter kinds and declarations
