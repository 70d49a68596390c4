#[derive(clap::Args)]
pub(crate) struct Check {}
impl Check {
    pub(crate) fn execute(self) -> anyhow::Result<std::process::ExitCode> {
        todo!()
    }
}
