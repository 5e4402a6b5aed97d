package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

var auth = setting("AUTH", "http://127.0.0.1:8080") // vestibule, as this app reaches it

// Its transport has no proxy: one of HTTP_PROXY would be sent the cookies of visitors.
var vestibule = http.Client{Transport: &http.Transport{IdleConnTimeout: 30 * time.Second}, Timeout: 5 * time.Second}

type user struct{ ID, Username string }

// whoIsThere says who is signed in, or nil.
func whoIsThere(w http.ResponseWriter, r *http.Request) (*user, error) {
	request, _ := http.NewRequestWithContext(r.Context(), "GET", auth+"/session", nil)
	request.Header["Cookie"] = r.Header["Cookie"]
	answer, err := vestibule.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	for _, cookie := range answer.Header["Set-Cookie"] {
		w.Header().Add("Set-Cookie", cookie)
	}
	var data struct{ User *user }
	if answer.StatusCode != 200 && answer.StatusCode != 401 {
		return nil, fmt.Errorf("the sign-in answered %d", answer.StatusCode)
	}
	err = json.NewDecoder(answer.Body).Decode(&data)
	return data.User, err
}

// asking hands a page who is signed in.
func asking(page func(http.ResponseWriter, *user)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, err := whoIsThere(w, r)
		if err != nil {
			log.Print(err)
			w.Header().Set("Retry-After", "1")
			http.Error(w, "The sign-in is out of order", 503)
			return
		}
		page(w, user)
	}
}

// shown is the name of the user whom the proxy names.
func shown(r *http.Request) string {
	name, _ := url.PathUnescape(r.Header.Get("Remote-Name"))
	return name
}

func main() {
	http.HandleFunc("/", asking(func(w http.ResponseWriter, user *user) {
		if user == nil {
			fmt.Fprint(w, "Hello stranger")
			return
		}
		fmt.Fprint(w, "Hello ", user.Username)
	}))
	http.HandleFunc("/api/me", asking(func(w http.ResponseWriter, user *user) {
		if user == nil {
			http.Error(w, `{"error":"not signed in"}`, 401)
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"name": user.Username})
	}))
	http.HandleFunc("/private", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "Hello ", shown(r))
	})
	http.HandleFunc("/admin", func(w http.ResponseWriter, r *http.Request) {
		for _, group := range strings.Split(r.Header.Get("Remote-Groups"), ",") {
			if group == "admin" {
				fmt.Fprint(w, "Hello administrator ", shown(r))
				return
			}
		}
		http.Error(w, "Forbidden", 403)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+setting("PORT", "3000"), nil))
}
