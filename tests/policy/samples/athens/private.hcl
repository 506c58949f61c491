downloadURL = "https://mirror.example"

mode = "sync"

download "git.example/*" {
    mode = "async_redirect"
}
