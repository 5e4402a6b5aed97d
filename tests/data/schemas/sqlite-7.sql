-- What a server of schema 7 (commit 413da4d) has written, row by row: two users, their sessions, an access token, an
-- invitation, a reset link, failed attempts and the audit log. The tables are those of the migrations up to 7. Secrets
-- were replaced by ones that the tests know, and what would have expired lasts.

INSERT INTO user VALUES ('49dghicyimlejdh','Anna','anna',1790018868694,'staff','Anna@example.com',NULL,'','',0);
INSERT INTO user VALUES ('9hpxl9ato33rmw1','bert','bert',1790018868774,'','',NULL,'','',1);
INSERT INTO user_key VALUES ('username:anna','49dghicyimlejdh','$argon2id$v=19$m=19456,t=2,p=1$iVXLEqw9yorL+G+/3PwffA$D3W1YHt3yx9UO9ICQcVUmM7WXjij5+HxdltNJ+Xr3NQ');
INSERT INTO user_key VALUES ('username:bert','9hpxl9ato33rmw1','$argon2id$v=19$m=19456,t=2,p=1$iVXLEqw9yorL+G+/3PwffA$D3W1YHt3yx9UO9ICQcVUmM7WXjij5+HxdltNJ+Xr3NQ');
INSERT INTO user_session VALUES (x'6e14691569f50f56ce60909fcb8e4a995fda4c2c6150a1f154c333293867782b','49dghicyimlejdh',4000000000000,4000000000000,4000000000000,1790018868694,1790018868694,1790018868694,0,'curl','127.0.0.1',0);
INSERT INTO access_token VALUES (x'493be2c201459ef95136ada9f5737307776ab3a3ea8a1d8df4975ef3b2a16440','49dghicyimlejdh','script',1790018869262,4000000000000,NULL,0);
INSERT INTO ticket VALUES (x'15adee3f0a1f233439d5801c426b585accc5b85bc014f23af3218d7471ed6897','9hpxl9ato33rmw1',1790018869289,4000000000000);
INSERT INTO invite VALUES (x'addeb53a14fbad079bd73a3d593863b6f4133360216ac07c94dc10113ab3e0fd','','ops',3,0,1790018869272,4000000000000);
INSERT INTO secret VALUES ('handle',x'70f06dd7e34b84f67f64ca057176fbbdec42080d58cdd5803c33a9d9c565b646');
INSERT INTO device VALUES (x'e8ea8f406b7b38268f65cbbde8bc5ac41dd0d88a3f9c158cdf9562f6fc61cebc','49dghicyimlejdh',1790018868694);
INSERT INTO device VALUES (x'55e0dc88cc446024a46c82dbdf7affcc2453b5f186f851281e7293a631a36fba','9hpxl9ato33rmw1',1790018868774);
INSERT INTO throttle VALUES (x'6b839586b99c30f0fda61cb61de6c810',6,1790018869150,1790018870150);
INSERT INTO throttle VALUES (x'd23250ddfce0c870ed8e34b894affb7b',1,1790018868823,1790018868823);
INSERT INTO audit VALUES (1,1790018868606,'settings',NULL,NULL,NULL,NULL,'origin=none trusted_origin=none strict_origin=false app=none alias=none identity_header=Remote-User,Remote-Id,Remote-Name,Remote-Groups,Remote-Email basic_auth=true cookie_domain=none trusted_proxy=none signup=open password_policy=seed active=1day idle=14days absolute=30days sessions_per_user=100 throttle_free=5 throttle_wait=30m');
INSERT INTO audit VALUES (2,1790018868743,'signup_ok','49dghicyimlejdh','127.0.0.1','2ca14ffe','5ruo-0','');
INSERT INTO audit VALUES (3,1790018868809,'signup_ok','9hpxl9ato33rmw1','127.0.0.1','8f8d2929','5ruo-1','');
INSERT INTO audit VALUES (4,1790018868849,'login_fail',NULL,'127.0.0.1',NULL,'5ruo-2','reason=bad_credentials name=h:e60e1924');
INSERT INTO audit VALUES (5,1790018868883,'login_fail',NULL,'127.0.0.1',NULL,'5ruo-3','reason=bad_credentials name=h:b4ee6bd5');
INSERT INTO audit VALUES (6,1790018868941,'login_fail',NULL,'127.0.0.1',NULL,'5ruo-4','reason=bad_credentials name=h:b4ee6bd5');
INSERT INTO audit VALUES (7,1790018869044,'login_fail',NULL,'127.0.0.1',NULL,'5ruo-5','reason=bad_credentials name=h:b4ee6bd5');
INSERT INTO audit VALUES (8,1790018869094,'login_fail',NULL,'127.0.0.1',NULL,'5ruo-6','reason=bad_credentials name=h:b4ee6bd5');
INSERT INTO audit VALUES (9,1790018869141,'login_fail',NULL,'127.0.0.1',NULL,'5ruo-7','reason=bad_credentials name=h:b4ee6bd5');
INSERT INTO audit VALUES (10,1790018869167,'login_fail',NULL,'127.0.0.1',NULL,'5ruo-8','reason=bad_credentials name=h:b4ee6bd5');
INSERT INTO audit VALUES (11,1790018869186,'throttled',NULL,'127.0.0.1',NULL,'5ruo-9','reason=throttled name=h:b4ee6bd5');
INSERT INTO audit VALUES (12,1790018869196,'user_groups','49dghicyimlejdh',NULL,NULL,NULL,'groups=staff');
INSERT INTO audit VALUES (13,1790018869204,'user_email','49dghicyimlejdh',NULL,NULL,NULL,'');
INSERT INTO audit VALUES (14,1790018869210,'user_disable','9hpxl9ato33rmw1',NULL,NULL,NULL,'reason=left');
INSERT INTO audit VALUES (15,1790018869231,'user_enable','9hpxl9ato33rmw1',NULL,NULL,NULL,'');
INSERT INTO audit VALUES (16,1790018869262,'token_make','49dghicyimlejdh','127.0.0.1','2ca14ffe','5ruo-10','token=d2fbc995');
INSERT INTO audit VALUES (17,1790018869272,'invite_new',NULL,NULL,NULL,NULL,'invite=f043148a uses=3 groups=ops until=2026-11-29T03:21:09.272Z note=""');
INSERT INTO audit VALUES (18,1790018869289,'reset_link','9hpxl9ato33rmw1',NULL,NULL,NULL,'');
