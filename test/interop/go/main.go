// Stock OAuth 2 clients in Go against a gateway: each fetches a token in its own way, and calls a service with it.
//
// Usage: oauth-clients TOKEN_URL CALL_URL USERNAME PASSWORD
// Prints a JSON object: each case's name, and "ok" or what went wrong.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

var styles = map[string]oauth2.AuthStyle{
	"auto-detected": oauth2.AuthStyleAutoDetect,
	"in the header": oauth2.AuthStyleInHeader,
	"in the body":   oauth2.AuthStyleInParams,
}

func main() {
	tokenURL, callURL, username, password := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	outcomes := map[string]string{}
	for name, style := range styles {
		credentials := clientcredentials.Config{
			ClientID: username, ClientSecret: password, TokenURL: tokenURL, AuthStyle: style, Scopes: []string{"a"},
		}
		outcomes["clientcredentials, "+name] = outcome(call(credentials.Client(ctx), callURL))
		for _, clientID := range []string{"", "any"} {
			config := oauth2.Config{ClientID: clientID, Endpoint: oauth2.Endpoint{TokenURL: tokenURL, AuthStyle: style}}
			key := fmt.Sprintf("PasswordCredentialsToken, client '%s' %s", clientID, name)
			token, err := config.PasswordCredentialsToken(ctx, username, password)
			if err == nil {
				err = call(config.Client(ctx, token), callURL)
			}
			outcomes[key] = outcome(err)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(outcomes); err != nil {
		panic(err)
	}
}

func call(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the call: %s", response.Status)
	}
	return nil
}

func outcome(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ok"
}
