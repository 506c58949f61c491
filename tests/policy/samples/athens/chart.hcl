downloadURL = "https://proxy.example"

mode = "async_redirect"

# download "github.com/gomods/*" {
#     mode = "sync"
# }
#
# download "golang.org/x/*" {
#     mode = "none"
# }
