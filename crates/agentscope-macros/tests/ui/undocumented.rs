use agentscope_core::tool;

#[tool]
async fn silent(city: String, #[doc = " "] days: u8) -> String {
    format!("{city} {days}")
}

fn main() {
    let _: &dyn agentscope_core::Tool = &silent;
}
