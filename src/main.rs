//! The one binary of Sojourn.

use std::process::ExitCode;

fn main() -> ExitCode {
    match sojourn::cmd::main(std::env::args_os()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sojourn: {error:#}");
            ExitCode::FAILURE
        }
    }
}
