downloadURL = "https://proxy.example"

mode = "redirect"

download "github.com/gomods/*" {
  mode = "sync"
}
