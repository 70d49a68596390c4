#[derive(clap::Args)]
pub(crate) struct Test {}
impl Test {
    pub(crate) fn execute(self) -> anyhow::Result<std::process::ExitCode> {
        todo!()
    }
}
