downloadURL = "https://proxy.example"

mode = "async_redirect"

download "git.example/*" {
    mode = "sync"
}
