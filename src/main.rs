//! The one binary of Sojourn.

use sojourn_crds::text::on_one_line;
use std::process::ExitCode;

fn main() -> ExitCode {
    match sojourn::cmd::main(std::env::args_os()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sojourn: {}", on_one_line(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
