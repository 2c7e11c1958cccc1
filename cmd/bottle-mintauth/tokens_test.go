package main

import (
	"encoding/json"
	"strings"
)

// tokensOf returns the three tokens of an auth.json, JWTs without their header.
func tokensOf(file string) []string {
	var login struct {
		Tokens struct {
			Access  string `json:"access_token"`
			ID      string `json:"id_token"`
			Refresh string `json:"refresh_token"`
		} `json:"tokens"`
	}
	if err := json.Unmarshal([]byte(file), &login); err != nil {
		panic(err)
	}
	_, access, _ := strings.Cut(login.Tokens.Access, ".")
	_, id, _ := strings.Cut(login.Tokens.ID, ".")
	return []string{access, id, login.Tokens.Refresh}
}

// sharedPiece returns the first n characters in a row of token that are in out.
func sharedPiece(out, token string, n int) string {
	for i := 0; i+n <= len(token); i++ {
		if strings.Contains(out, token[i:i+n]) {
			return token[i : i+n]
		}
	}
	return ""
}
