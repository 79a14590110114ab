BEGIN TRANSACTION;
CREATE TABLE attempts (
	account_id TEXT NOT NULL, 
	subscription_id TEXT NOT NULL, 
	started_at_ms BIGINT NOT NULL, 
	attempt_id TEXT NOT NULL, 
	delivery_id TEXT NOT NULL, 
	event_id TEXT NOT NULL, 
	event_type TEXT NOT NULL, 
	run BIGINT NOT NULL, 
	attempt INTEGER NOT NULL, 
	is_test BOOLEAN NOT NULL, 
	is_request BOOLEAN NOT NULL, 
	outcome TEXT NOT NULL, 
	duration_ms INTEGER NOT NULL, 
	response_code INTEGER, 
	response_body BLOB, 
	error TEXT, 
	detail TEXT, 
	next_attempt_at_ms BIGINT, 
	PRIMARY KEY (account_id, subscription_id, started_at_ms, attempt_id)
)
 WITHOUT ROWID

;
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700016073138,'log_04d33d550936dfd1e11e91027da52bc6','delivery_387c911a672949a03d311bea3ae53ad1','evt_17','order.created',0,1,0,1,'succeeded',62,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700028810013,'log_b08588ce5c01e9021eaf18c85a99899d','delivery_6b201890f9c54a42936e2bd4530927c7','evt_36','order.completed',0,1,0,1,'succeeded',18,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700034373528,'log_4a652535910d8ea8cf8a153572568b06','delivery_c83cb7760fc2624037b1c7655105c511','evt_13','user.created',0,1,0,0,'postponed',0,NULL,NULL,'dns','It ended with dns.',1700034433528);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700034673528,'log_76469b278e32e83e356f3a567205ce54','delivery_c83cb7760fc2624037b1c7655105c511','evt_13','user.created',0,1,0,1,'failed',125,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700034733528);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700077873528,'log_f526b5331cad0b081c5a528b2f00be44','delivery_c83cb7760fc2624037b1c7655105c511','evt_13','user.created',0,2,0,1,'failed',83,503,X'7B226F6B223A2000FF7D','status','It ended with status.',1700077933528);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700078173528,'log_7db9d324c509b2805cf520710cefa397','delivery_c83cb7760fc2624037b1c7655105c511','evt_13','user.created',0,3,0,1,'failed',60,503,X'7B226F6B223A2000FF7D','status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700090667764,'log_829054a80da426c40487a1ab1ac86278','delivery_416f1784e9cb817f0fa66c0fe7e74117','evt_23','payment.failed',0,1,0,1,'succeeded',87,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700093081485,'log_c5cd65123d7bf89859ebac4f21f6a334','delivery_b67df1e734f87d83be6742c26b791953','evt_43','order.created',0,1,0,1,'succeeded',73,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700109220730,'log_f70bdc6aefee2b15a226180172c6300f','delivery_9919c8909e3f0eb1dae34a27f0ec8b8a','evt_39','order.created',0,1,0,1,'succeeded',10,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700110392753,'log_b75e78e2f19a78df75a302f148662ccc','delivery_5f72d27af22f2b0ad3c293e505d3101e','evt_41','order.created',0,1,0,1,'succeeded',23,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700170048077,'log_0d4a7a49e6544909bab3f6c57e12c743','delivery_7580d9e17675339d3e6894efebeae063','evt_3','order.completed',0,1,0,1,'succeeded',64,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700195005457,'log_a55eaa7fdbfe297dc1602120ce467afa','delivery_28378781b56127740caaea09109715e8','evt_27','order.created',0,1,0,1,'failed',630,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700195065457);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700196519703,'log_cba60e6ac02c12b1067db787ad99a1d0','delivery_57b4497ef67505d7160786bd28de39e1','evt_46','user.created',0,1,0,1,'succeeded',56,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700196805457,'log_1907efd0a62754f5da4fdaff0a9488bc','delivery_28378781b56127740caaea09109715e8','evt_27','order.created',0,2,0,1,'failed',49,500,X'7B226F6B223A2000FF7D','status','It ended with status.',1700196865457);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700198605457,'log_81ed2d9f98a49606766ca086c6e6d1f2','delivery_28378781b56127740caaea09109715e8','evt_27','order.created',0,3,0,1,'succeeded',13,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_0',1700198846892,'log_dc05d9641032131359cefc5239261360','delivery_b8c0210ef2707a754ad3c251423dfb97','evt_34','user.created',0,1,0,1,'succeeded',29,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700016381794,'log_a22a83680fa8a15aaaf90a77d566e415','delivery_f95d3c7b4725372c69aa6f2b3a98a32b','evt_33','order.completed',0,1,0,0,'postponed',0,NULL,NULL,'dns','It ended with dns.',1700016441794);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700016382794,'log_b34c664f0ce569f5a8fc40edf21800ee','delivery_f95d3c7b4725372c69aa6f2b3a98a32b','evt_33','order.completed',0,1,0,1,'failed',47,410,X'7B226F6B223A2000FF7D','gone','It ended with gone.',1700016442794);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700018182794,'log_22b67c4df18b80012fd84e4fc1d8679d','delivery_f95d3c7b4725372c69aa6f2b3a98a32b','evt_33','order.completed',0,2,0,1,'failed',35,500,X'7B226F6B223A2000FF7D','status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700068636077,'log_d61e4cc10826935c075c5260732ce896','delivery_d50702830f3b09d9b1ca6dde42932180','evt_19','payment.failed',0,1,0,1,'failed',67,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700068696077);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700070436077,'log_f7748c4f9afd0ae7a99f08fec4c84c84','delivery_d50702830f3b09d9b1ca6dde42932180','evt_19','payment.failed',0,2,0,1,'failed',9,NULL,NULL,'timeout','It ended with timeout.',1700070496077);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700070437077,'log_ab8d21fd54972a0147b7be8c2cfe5abc','delivery_d50702830f3b09d9b1ca6dde42932180','evt_19','payment.failed',0,3,0,1,'failed',83,404,X'7B226F6B223A2000FF7D','status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700080720275,'log_0babb6905ae58d881fa40de0cbb4c673','delivery_325f19ae21ac473519ca77e90c0e7076','evt_32','payment.failed',0,1,0,1,'succeeded',36,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700085734437,'log_c58cbaf37158106f3f9da17e428cba45','delivery_e6a83f6948ed45e24be81e6a3279b3b6','evt_1','user.created',0,1,0,1,'failed',58,NULL,NULL,'timeout','It ended with timeout.',1700085794437);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700087534437,'log_4987ac6d427406ad67112dcaee188275','delivery_e6a83f6948ed45e24be81e6a3279b3b6','evt_1','user.created',0,2,0,1,'failed',285,NULL,NULL,'dns','It ended with dns.',1700087594437);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700097341133,'log_6c7f3a7fe39d8718f998b289aebffb9d','delivery_582d7b9da4e24242ea7227c38139d73f','evt_49','order.completed',0,1,0,1,'succeeded',91,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700099452293,'log_ccececf4a679b67c0faf860627c410be','delivery_f6fb6787f51ea2b33ac956ea141b3fc8','evt_12','user.created',0,1,0,1,'failed',20,NULL,NULL,'dns','It ended with dns.',1700099512293);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700099752293,'log_01170c4543e87647e47cb4400bea6607','delivery_f6fb6787f51ea2b33ac956ea141b3fc8','evt_12','user.created',0,2,0,1,'failed',90,NULL,NULL,'dns','It ended with dns.',1700099812293);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700100052293,'log_0dcb49ce5d1ff88eccb7431e00a10239','delivery_f6fb6787f51ea2b33ac956ea141b3fc8','evt_12','user.created',0,3,0,0,'cancelled',0,NULL,NULL,'dns','It ended with dns.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700130648091,'log_1b0d5281f4167c0dc0e6ea5dd533b6a0','delivery_5c3c07c554904a27a6daa767900a09d4','evt_2','order.created',0,1,0,1,'succeeded',211,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700130734437,'log_58094560cfec0a9b1562277c461ead4e','delivery_e6a83f6948ed45e24be81e6a3279b3b6','evt_1','user.created',0,3,0,1,'failed',204,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700130794437);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700173934437,'log_0f99d1c4f9843766507af5ae3206e064','delivery_e6a83f6948ed45e24be81e6a3279b3b6','evt_1','user.created',0,4,0,1,'failed',49,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700173994437);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700174234437,'log_53fb5bc005e9760ad541e6bd074e19fd','delivery_e6a83f6948ed45e24be81e6a3279b3b6','evt_1','user.created',0,5,0,1,'failed',358,500,X'7B226F6B223A2000FF7D','status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700176089799,'log_3e35a9f65fc620a79e0652c4bc78e78f','delivery_09304918dac902a60f302f2197034249','evt_50','order.created',0,1,0,1,'succeeded',60,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_2',1700223312734,'log_6cd18e1d1b2cb2b53c5dab6706109744','delivery_86f9440ec2caa059c30fc53d8728f559','evt_44','payment.failed',0,1,0,1,'failed',96,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700223372734);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700010741904,'log_d61657a38fe0dc0ea970dbefa66c0924','delivery_ec09f592e62234ead57da8131f7c7e37','evt_52','payment.failed',0,1,0,1,'succeeded',215,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700043061062,'log_5c2f80c9b1b5ea0a85a381490a75e00b','delivery_def4ffae11caadefcfd8e889e2b783c5','evt_42','order.completed',0,1,0,1,'failed',77,500,X'7B226F6B223A2000FF7D','status','It ended with status.',1700043121062);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700043062062,'log_aa4dd3ff7e6083cce0de8e4e6de8a991','delivery_def4ffae11caadefcfd8e889e2b783c5','evt_42','order.completed',0,2,0,1,'failed',177,NULL,NULL,'dns','It ended with dns.',1700043122062);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700044862062,'log_d73e1f62ff6f66c64995bf4636bfe844','delivery_def4ffae11caadefcfd8e889e2b783c5','evt_42','order.completed',0,3,0,1,'failed',211,503,X'7B226F6B223A2000FF7D','status','It ended with status.',1700044922062);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700044863062,'log_44576d8b8593b10b9466e10f8f39ec2d','delivery_def4ffae11caadefcfd8e889e2b783c5','evt_42','order.completed',0,4,0,0,'cancelled',0,NULL,NULL,'timeout','It ended with timeout.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700053452331,'log_b19fa1cdbd7d6b5408947b74d748ed7a','delivery_1f6ff2e98a519fa990750784661082c2','evt_4','user.created',0,1,0,1,'succeeded',19,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700071351226,'log_941029d93d1ecbea5ac9bb46f999a5f3','delivery_9cb876009ee1dbbfef6ccd17cbe94e10','evt_9','order.completed',0,1,0,1,'failed',71,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700071411226);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700071352226,'log_de51160b47fd2a1bacf1dbc69a878b81','delivery_9cb876009ee1dbbfef6ccd17cbe94e10','evt_9','order.completed',0,2,0,1,'failed',76,503,X'7B226F6B223A2000FF7D','status','It ended with status.',1700071412226);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700090180079,'log_da180cb797be12e6c81eea80c4bd3874','delivery_9a9bf2418a79df406169d3c108b5deb6','evt_28','user.created',0,1,0,0,'postponed',0,NULL,NULL,'status','It ended with status.',1700090240079);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700091980079,'log_08bbda061c48d6056950e59157c2d22e','delivery_9a9bf2418a79df406169d3c108b5deb6','evt_28','user.created',0,1,0,1,'failed',46,NULL,NULL,'dns','It ended with dns.',1700092040079);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700092280079,'log_7b3b7642c180de8598abcc3e6f5214c2','delivery_9a9bf2418a79df406169d3c108b5deb6','evt_28','user.created',0,2,0,1,'failed',206,500,X'7B226F6B223A2000FF7D','status','It ended with status.',1700092340079);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700092580079,'log_b3dee6cceb38612f3420101729fb9625','delivery_9a9bf2418a79df406169d3c108b5deb6','evt_28','user.created',0,3,0,1,'failed',61,NULL,NULL,'dns','It ended with dns.',1700092640079);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700095953841,'log_8ac62d4d15233717e66c3d0961943ce7','delivery_89903c1d9662434cbf742d5de4f0f11b','evt_55','order.completed',0,1,0,0,'postponed',0,NULL,NULL,'status','It ended with status.',1700096013841);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700114552226,'log_feaae4ca3dbcc883c42deec2b35c7d90','delivery_9cb876009ee1dbbfef6ccd17cbe94e10','evt_9','order.completed',0,3,0,1,'succeeded',26,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700115183782,'log_0ace4209a1a39812d02f0f4eacccacbe','delivery_2e3ee7a07290cb54264edc532a0c1052','evt_21','payment.failed',0,1,0,1,'succeeded',124,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700135780079,'log_b8e5b4609cb7e0e9ddd1f13bde10744b','delivery_9a9bf2418a79df406169d3c108b5deb6','evt_28','user.created',0,4,0,1,'failed',44,500,X'7B226F6B223A2000FF7D','status','It ended with status.',1700135840079);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700136080079,'log_ba50c5e70083cf2dcfc9e6be35b61974','delivery_9a9bf2418a79df406169d3c108b5deb6','evt_28','user.created',0,5,0,0,'cancelled',0,NULL,NULL,'status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700139153841,'log_70445954c8bd021483754d58180ac97d','delivery_89903c1d9662434cbf742d5de4f0f11b','evt_55','order.completed',0,1,0,1,'failed',10,500,X'7B226F6B223A2000FF7D','status','It ended with status.',1700139213841);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700140953841,'log_9882dc0f7f53c12a16248863fe1d3245','delivery_89903c1d9662434cbf742d5de4f0f11b','evt_55','order.completed',0,2,0,1,'failed',38,410,X'7B226F6B223A2000FF7D','gone','It ended with gone.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700152714246,'log_bdd68abe6bcde218e69a8b9caf4df713','delivery_61cca7148985d077de351cd976afcb10','evt_47','payment.failed',0,1,0,0,'postponed',0,NULL,NULL,'status','It ended with status.',1700152774246);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700152715246,'log_9a0d35a92faa475ba807c64d70647e52','delivery_61cca7148985d077de351cd976afcb10','evt_47','payment.failed',0,1,0,1,'failed',17,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700152775246);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700153015246,'log_ab069020c53cac0b4c642bbc979dcd8d','delivery_61cca7148985d077de351cd976afcb10','evt_47','payment.failed',0,2,0,1,'failed',14,NULL,NULL,'timeout','It ended with timeout.',1700153075246);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700153315246,'log_24fc7b745c1a9be2b93cc5872dbd3ac2','delivery_61cca7148985d077de351cd976afcb10','evt_47','payment.failed',0,3,0,0,'cancelled',0,NULL,NULL,'timeout','It ended with timeout.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700155929621,'log_e5b5981f670a9e5f2a6269a0f71bcd0d','delivery_fd805ad2b168131486e22c3805699184','evt_56','payment.failed',0,1,0,1,'succeeded',170,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700179910034,'log_9155575dc368b290300fed586581db3d','delivery_450f555fe17857ff28eed2e395f35ecf','evt_6','payment.failed',0,1,0,1,'failed',8,410,X'7B226F6B223A2000FF7D','gone','It ended with gone.',1700179970034);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700179911034,'log_56e2170f92e1893c364c22aa1ade1ed0','delivery_450f555fe17857ff28eed2e395f35ecf','evt_6','payment.failed',0,2,0,1,'failed',97,503,X'7B226F6B223A2000FF7D','status','It ended with status.',1700179971034);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700199851775,'log_eddd3c448ae9e2d67c02562fe65062a0','delivery_f48ed44266871ef83f2b0f5f6a83d900','evt_54','user.created',0,1,0,1,'succeeded',33,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700208121966,'log_364febf2ecd30784e77477e403521e69','delivery_3e43b48e253a35d02fa4c40b0435d27a','evt_29','order.completed',0,1,0,0,'postponed',0,NULL,NULL,'timeout','It ended with timeout.',1700208181966);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700208122966,'log_bd501617476a79261376afcc71ff3f77','delivery_3e43b48e253a35d02fa4c40b0435d27a','evt_29','order.completed',0,1,0,1,'failed',70,NULL,NULL,'dns','It ended with dns.',1700208182966);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700209922966,'log_0ad2e868c193b308493a2dddbeb86f85','delivery_3e43b48e253a35d02fa4c40b0435d27a','evt_29','order.completed',0,2,0,1,'failed',130,503,X'7B226F6B223A2000FF7D','status','It ended with status.',1700209982966);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700210222966,'log_5d304b1bfad128713bb1533c037f5528','delivery_3e43b48e253a35d02fa4c40b0435d27a','evt_29','order.completed',0,3,0,0,'expired',0,NULL,NULL,'status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700212022966,'log_25adad666b53f199a03f36238d39d3f2','delivery_3e43b48e253a35d02fa4c40b0435d27a','evt_29','order.completed',60,1,0,1,'failed',26,NULL,NULL,'dns','It ended with dns.',NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700220641609,'log_2bd8ab876e3b94719b59e3a598c7c9ea','delivery_2d63c3ffb8a514986a009d37a1e689e7','evt_0','user.created',0,1,0,1,'succeeded',12,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700223111034,'log_7d4b53e08ec38d7028bad6f3c621bdfb','delivery_450f555fe17857ff28eed2e395f35ecf','evt_6','payment.failed',0,3,0,1,'failed',98,NULL,NULL,'dns','It ended with dns.',1700223171034);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700223112034,'log_3f15bf95cf4322dd3239fbc33dbd0c2b','delivery_450f555fe17857ff28eed2e395f35ecf','evt_6','payment.failed',0,4,0,1,'failed',11,NULL,NULL,'timeout','It ended with timeout.',1700223172034);
INSERT INTO "attempts" VALUES('acct_0','wh_4',1700224912034,'log_420a117c972004fcda604c137dd4d9aa','delivery_450f555fe17857ff28eed2e395f35ecf','evt_6','payment.failed',0,5,0,1,'succeeded',54,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700001437760,'log_61c6f786e3011eb17d2987c7cc460170','delivery_bfbcb5e42c71cbd68d7bb3d83dc545f9','evt_24','order.completed',0,1,0,1,'succeeded',17,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700013377224,'log_ff19693cdf7de1971bed2fcf9504c314','delivery_a0d58fb17ea713de7c0d3cf498e3b096','evt_57','user.created',0,1,0,1,'failed',78,500,X'7B226F6B223A2000FF7D','status','It ended with status.',1700013437224);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700013677224,'log_d5d5982f2061f7143af937dc212f0e1a','delivery_a0d58fb17ea713de7c0d3cf498e3b096','evt_57','user.created',0,2,0,1,'failed',80,500,X'7B226F6B223A2000FF7D','status','It ended with status.',1700013737224);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700013977224,'log_a9f6d99a0276b43e7f049a1f34e20021','delivery_a0d58fb17ea713de7c0d3cf498e3b096','evt_57','user.created',0,3,0,1,'failed',48,503,X'7B226F6B223A2000FF7D','status','It ended with status.',1700014037224);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700014277224,'log_cab1c2622b2af0819eaf0e7dc24c66ce','delivery_a0d58fb17ea713de7c0d3cf498e3b096','evt_57','user.created',0,4,0,1,'failed',169,NULL,NULL,'timeout','It ended with timeout.',1700014337224);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700014278224,'log_4ae1b2ae1ddf145ea87d8e30a1481ce7','delivery_a0d58fb17ea713de7c0d3cf498e3b096','evt_57','user.created',0,5,0,1,'succeeded',123,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700018722618,'log_0ffacf1e3862011782b79b61a6271d37','delivery_fa198d1303daa9cbd464e41dd153e200','evt_37','order.completed',0,1,0,0,'postponed',0,NULL,NULL,'status','It ended with status.',1700018782618);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700019022618,'log_c70ed8d34e6c1fb5afcc7882aaae9e44','delivery_fa198d1303daa9cbd464e41dd153e200','evt_37','order.completed',0,1,0,1,'failed',201,410,X'7B226F6B223A2000FF7D','gone','It ended with gone.',1700019082618);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700047011934,'log_71cc876cd42653f83002046c7470a461','delivery_0587a816f165862b06c29c2fc74f224a','evt_26','order.created',0,1,0,1,'succeeded',116,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700062222618,'log_99237078e06e17842e68b8a4855df436','delivery_fa198d1303daa9cbd464e41dd153e200','evt_37','order.completed',0,2,0,1,'failed',24,410,X'7B226F6B223A2000FF7D','gone','It ended with gone.',1700062282618);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700062522618,'log_4f5f0b18ad85ee8cd231e6131cf09d53','delivery_fa198d1303daa9cbd464e41dd153e200','evt_37','order.completed',0,3,0,1,'failed',58,503,X'7B226F6B223A2000FF7D','status','It ended with status.',1700062582618);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700062822618,'log_9404c7c11dd15ebebdf021132f547071','delivery_fa198d1303daa9cbd464e41dd153e200','evt_37','order.completed',0,4,0,0,'cancelled',0,NULL,NULL,'status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700143510525,'log_64c3ddedd8afac6c3dc31c4cfbab1aa7','delivery_f9c5870af0a0a063125efbffca2d706b','evt_51','order.completed',0,1,0,1,'succeeded',59,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700159578902,'log_77939aabb993fcca531306f203d94bf7','delivery_2f9347a9fef40c2359f200b7fd3ea5b4','evt_30','user.created',0,1,0,1,'failed',25,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700159638902);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700160348092,'log_1a8b48ccd2c366a9619fbcc6a7e0f064','delivery_b5475a9806bb895e6130d2cbc7759fa1','evt_5','order.created',0,1,0,1,'failed',15,503,X'7B226F6B223A2000FF7D','status','It ended with status.',1700160408092);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700161378902,'log_470c54f6588842896805cb51cb3f5bc1','delivery_2f9347a9fef40c2359f200b7fd3ea5b4','evt_30','user.created',0,2,0,1,'failed',73,500,X'7B226F6B223A2000FF7D','status','It ended with status.',1700161438902);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700162148092,'log_a5a2d9bcc6ee9b1cd6013e489c644de4','delivery_b5475a9806bb895e6130d2cbc7759fa1','evt_5','order.created',0,2,0,1,'failed',38,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700162208092);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700162448092,'log_3f114257c75d0a99bb93bdc028336679','delivery_b5475a9806bb895e6130d2cbc7759fa1','evt_5','order.created',0,3,0,0,'cancelled',0,NULL,NULL,'status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700162827623,'log_2aebdc3756786514a289c593194a91e9','delivery_02e0a09b04f63db588f68026b6a2b9c2','evt_10','order.completed',0,1,0,1,'succeeded',80,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700171304666,'log_93faec65aa0e965863676b358dc173e2','delivery_acdedfc9f44dfc1e631472c0157683b6','evt_31','user.created',0,1,0,1,'succeeded',30,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700173179363,'log_e0092f58ae25ae645c5e284dec08e8a4','delivery_2c0fa5e29599cec77a7b8ca970d964d0','evt_15','order.completed',0,1,0,1,'succeeded',11,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700199385359,'log_4c1fd7f6e2d0a87aab342b0c54baf0ba','delivery_31e5e50558ddf018958689613df55993','evt_45','user.created',0,1,0,1,'succeeded',2,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700202157432,'log_111b1f2e143b5c60567e745e6ba90fbd','delivery_ced49e77015ce19edb5c244451df04e3','evt_25','order.created',0,1,0,1,'failed',145,404,X'7B226F6B223A2000FF7D','status','It ended with status.',1700202217432);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700204578902,'log_71c5044ea3f54b1d1ab4e5e16eee9204','delivery_2f9347a9fef40c2359f200b7fd3ea5b4','evt_30','user.created',0,3,0,1,'succeeded',126,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_1',1700205648092,'log_6b33c0d1e8148b69e9324cd83be2d96c','delivery_b5475a9806bb895e6130d2cbc7759fa1','evt_5','order.created',99,1,0,1,'failed',97,503,X'7B226F6B223A2000FF7D','status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700019938051,'log_2c115235ee35afe2acdbb2651470f9ef','delivery_41d44f468bc76e54d1be10f67706f101','evt_16','user.created',0,1,1,1,'succeeded',18,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700028112362,'log_802bf8fffe09d3a76f8b704d43154bc0','delivery_27f2571deccff753df5e4f149b5084f4','evt_22','order.created',0,1,0,1,'failed',20,500,X'7B226F6B223A2000FF7D','status','It ended with status.',1700028172362);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700032227929,'log_6ec6d567d39eafa904245cc8bbf11a49','delivery_690173ff2310fa94c268f8bc0acc1650','evt_18','user.created',0,1,0,1,'succeeded',166,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700050505117,'log_faf582c480af1fc77177dd1dd7900064','delivery_0bab5c80de47d0934fd8f6d27afe6834','evt_14','order.completed',0,1,0,1,'succeeded',70,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700071312362,'log_6bbb661ef4611d18e2021e875cb19c52','delivery_27f2571deccff753df5e4f149b5084f4','evt_22','order.created',0,2,0,1,'failed',148,NULL,NULL,'timeout','It ended with timeout.',1700071372362);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700114512362,'log_badc6dbdf8b32019d0eccf7e22337635','delivery_27f2571deccff753df5e4f149b5084f4','evt_22','order.created',0,3,0,1,'succeeded',122,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700124208654,'log_1b6ee5f894e12cc3d9bcb321918e911e','delivery_a475316b704a4651127cee15bcf66ada','evt_11','user.created',0,1,0,0,'postponed',0,NULL,NULL,'status','It ended with status.',1700124268654);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700124508654,'log_6f4928e9fabb06fcf662abc79c975b77','delivery_a475316b704a4651127cee15bcf66ada','evt_11','user.created',0,1,0,1,'failed',41,NULL,NULL,'dns','It ended with dns.',1700124568654);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700124808654,'log_ea56a6b2b9246b7d03f8eb5f6df85a6f','delivery_a475316b704a4651127cee15bcf66ada','evt_11','user.created',0,2,0,1,'failed',191,503,X'7B226F6B223A2000FF7D','status','It ended with status.',1700124868654);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700133318557,'log_a207bfeb600d3bda929e615538e5801d','delivery_de5f55c7e6b929ebb237b6eb7b88c798','evt_8','order.completed',0,1,0,1,'succeeded',174,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700151387089,'log_34763d62b1327480a9175441315e815a','delivery_26c5abf565b9c191ea566fac559d06ba','evt_38','order.completed',0,1,0,1,'succeeded',63,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700168008654,'log_8902af7eb56fc33b5a6485489bd577d9','delivery_a475316b704a4651127cee15bcf66ada','evt_11','user.created',0,3,0,1,'failed',66,410,X'7B226F6B223A2000FF7D','gone','It ended with gone.',1700168068654);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700168009654,'log_989300e8e890df740b9567eef8df47ca','delivery_a475316b704a4651127cee15bcf66ada','evt_11','user.created',0,4,0,1,'failed',11,404,X'7B226F6B223A2000FF7D','status','It ended with status.',NULL);
INSERT INTO "attempts" VALUES('acct_1','wh_3',1700168010654,'log_b66ae58c15d095ae879e478d446841c3','delivery_a475316b704a4651127cee15bcf66ada','evt_11','user.created',256,1,0,1,'succeeded',274,200,X'7B226F6B223A2000FF7D',NULL,NULL,NULL);
CREATE TABLE audit (
	account_id TEXT NOT NULL, 
	at_ms BIGINT NOT NULL, 
	audit_id TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	request_id TEXT NOT NULL, 
	operation TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	"before" TEXT, 
	"after" TEXT, 
	PRIMARY KEY (account_id, at_ms, audit_id)
)
 WITHOUT ROWID

;
INSERT INTO "audit" VALUES('',1700000000000,'audit_000000','key_1','req_0','webhook.create','wh_1',NULL,'{"description":"for müller"}');
INSERT INTO "audit" VALUES('',1700000000000,'audit_000003','key_1','req_3','webhook.create','wh_1',NULL,'{"description":"for müller"}');
INSERT INTO "audit" VALUES('',1700000000000,'audit_000006','key_1','req_6','webhook.create','wh_1',NULL,'{"description":"for müller"}');
INSERT INTO "audit" VALUES('acct_1',1700000000000,'audit_000001','key_1','req_1','webhook.create','wh_1',NULL,'{"description":"for müller"}');
INSERT INTO "audit" VALUES('acct_1',1700000000000,'audit_000004','key_1','req_4','webhook.create','wh_1',NULL,'{"description":"for müller"}');
INSERT INTO "audit" VALUES('acct_1',1700000000000,'audit_000007','key_1','req_7','webhook.create','wh_1',NULL,'{"description":"for müller"}');
INSERT INTO "audit" VALUES('acct_2',1700000000000,'audit_000002','key_1','req_2','webhook.create','wh_1',NULL,'{"description":"for müller"}');
INSERT INTO "audit" VALUES('acct_2',1700000000000,'audit_000005','key_1','req_5','webhook.create','wh_1',NULL,'{"description":"for müller"}');
CREATE TABLE deliveries (
	account_id TEXT NOT NULL, 
	subscription_id TEXT NOT NULL, 
	delivery_id TEXT NOT NULL, 
	event_id TEXT NOT NULL, 
	event_type TEXT NOT NULL, 
	is_test BOOLEAN NOT NULL, 
	origin_partition INTEGER NOT NULL, 
	origin_offset BIGINT NOT NULL, 
	first_at_ms BIGINT NOT NULL, 
	run BIGINT NOT NULL, 
	grade INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	rank INTEGER NOT NULL, 
	at_ms BIGINT NOT NULL, 
	outcome TEXT NOT NULL, 
	next_attempt_at_ms BIGINT, 
	request_grade INTEGER NOT NULL, 
	request_attempt INTEGER NOT NULL, 
	request_at_ms BIGINT NOT NULL, 
	response_code INTEGER, 
	requests INTEGER NOT NULL, 
	PRIMARY KEY (account_id, subscription_id, delivery_id)
)
 WITHOUT ROWID

;
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_28378781b56127740caaea09109715e8','evt_27','order.created',0,0,27,1700195005457,0,1,3,3,1700198605457,'succeeded',NULL,1,3,1700198605470,200,3);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_387c911a672949a03d311bea3ae53ad1','evt_17','order.created',0,0,17,1700016073138,0,1,1,3,1700016073138,'succeeded',NULL,1,1,1700016073200,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_416f1784e9cb817f0fa66c0fe7e74117','evt_23','payment.failed',0,0,23,1700090667764,0,1,1,3,1700090667764,'succeeded',NULL,1,1,1700090667851,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_57b4497ef67505d7160786bd28de39e1','evt_46','user.created',0,0,46,1700196519703,0,1,1,3,1700196519703,'succeeded',NULL,1,1,1700196519759,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_5f72d27af22f2b0ad3c293e505d3101e','evt_41','order.created',0,0,41,1700110392753,0,1,1,3,1700110392753,'succeeded',NULL,1,1,1700110392776,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_6b201890f9c54a42936e2bd4530927c7','evt_36','order.completed',0,0,36,1700028810013,0,1,1,3,1700028810013,'succeeded',NULL,1,1,1700028810031,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_7580d9e17675339d3e6894efebeae063','evt_3','order.completed',0,0,3,1700170048077,0,1,1,3,1700170048077,'succeeded',NULL,1,1,1700170048141,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_9919c8909e3f0eb1dae34a27f0ec8b8a','evt_39','order.created',0,0,39,1700109220730,0,1,1,3,1700109220730,'succeeded',NULL,1,1,1700109220740,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_b67df1e734f87d83be6742c26b791953','evt_43','order.created',0,0,43,1700093081485,0,1,1,3,1700093081485,'succeeded',NULL,1,1,1700093081558,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_b8c0210ef2707a754ad3c251423dfb97','evt_34','user.created',0,0,34,1700198846892,0,1,1,3,1700198846892,'succeeded',NULL,1,1,1700198846921,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_0','delivery_c83cb7760fc2624037b1c7655105c511','evt_13','user.created',0,0,13,1700034373528,0,0,3,1,1700078173528,'failed',NULL,0,3,1700078173588,503,3);
INSERT INTO "deliveries" VALUES('acct_0','wh_2','delivery_09304918dac902a60f302f2197034249','evt_50','order.created',0,2,50,1700176089799,0,1,1,3,1700176089799,'succeeded',NULL,1,1,1700176089859,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_2','delivery_325f19ae21ac473519ca77e90c0e7076','evt_32','payment.failed',0,2,32,1700080720275,0,1,1,3,1700080720275,'succeeded',NULL,1,1,1700080720311,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_2','delivery_582d7b9da4e24242ea7227c38139d73f','evt_49','order.completed',0,2,49,1700097341133,0,1,1,3,1700097341133,'succeeded',NULL,1,1,1700097341224,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_2','delivery_5c3c07c554904a27a6daa767900a09d4','evt_2','order.created',0,2,2,1700130648091,0,1,1,3,1700130648091,'succeeded',NULL,1,1,1700130648302,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_2','delivery_86f9440ec2caa059c30fc53d8728f559','evt_44','payment.failed',0,2,44,1700223312734,0,0,1,1,1700223312734,'failed',1700223372734,0,1,1700223312830,404,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_2','delivery_d50702830f3b09d9b1ca6dde42932180','evt_19','payment.failed',0,2,19,1700068636077,0,0,3,1,1700070437077,'failed',NULL,0,3,1700070437160,404,3);
INSERT INTO "deliveries" VALUES('acct_0','wh_2','delivery_e6a83f6948ed45e24be81e6a3279b3b6','evt_1','user.created',0,2,1,1700085734437,0,0,5,1,1700174234437,'failed',NULL,0,5,1700174234795,500,5);
INSERT INTO "deliveries" VALUES('acct_0','wh_2','delivery_f6fb6787f51ea2b33ac956ea141b3fc8','evt_12','user.created',0,2,12,1700099452293,0,0,3,2,1700100052293,'cancelled',NULL,0,2,1700099752383,NULL,2);
INSERT INTO "deliveries" VALUES('acct_0','wh_2','delivery_f95d3c7b4725372c69aa6f2b3a98a32b','evt_33','order.completed',0,2,33,1700016381794,0,0,2,1,1700018182794,'failed',NULL,0,2,1700018182829,500,2);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_1f6ff2e98a519fa990750784661082c2','evt_4','user.created',0,4,4,1700053452331,0,1,1,3,1700053452331,'succeeded',NULL,1,1,1700053452350,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_2d63c3ffb8a514986a009d37a1e689e7','evt_0','user.created',0,4,0,1700220641609,0,1,1,3,1700220641609,'succeeded',NULL,1,1,1700220641621,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_2e3ee7a07290cb54264edc532a0c1052','evt_21','payment.failed',0,4,21,1700115183782,0,1,1,3,1700115183782,'succeeded',NULL,1,1,1700115183906,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_3e43b48e253a35d02fa4c40b0435d27a','evt_29','order.completed',0,4,29,1700208121966,60,0,1,1,1700212022966,'failed',NULL,0,1,1700212022992,NULL,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_450f555fe17857ff28eed2e395f35ecf','evt_6','payment.failed',0,4,6,1700179910034,0,1,5,3,1700224912034,'succeeded',NULL,1,5,1700224912088,200,5);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_61cca7148985d077de351cd976afcb10','evt_47','payment.failed',0,4,47,1700152714246,0,0,3,2,1700153315246,'cancelled',NULL,0,2,1700153015260,NULL,2);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_89903c1d9662434cbf742d5de4f0f11b','evt_55','order.completed',0,4,55,1700095953841,0,0,2,1,1700140953841,'failed',NULL,0,2,1700140953879,410,2);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_9a9bf2418a79df406169d3c108b5deb6','evt_28','user.created',0,4,28,1700090180079,0,0,5,2,1700136080079,'cancelled',NULL,0,4,1700135780123,500,4);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_9cb876009ee1dbbfef6ccd17cbe94e10','evt_9','order.completed',0,4,9,1700071351226,0,1,3,3,1700114552226,'succeeded',NULL,1,3,1700114552252,200,3);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_def4ffae11caadefcfd8e889e2b783c5','evt_42','order.completed',0,4,42,1700043061062,0,0,4,2,1700044863062,'cancelled',NULL,0,3,1700044862273,503,3);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_ec09f592e62234ead57da8131f7c7e37','evt_52','payment.failed',0,4,52,1700010741904,0,1,1,3,1700010741904,'succeeded',NULL,1,1,1700010742119,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_f48ed44266871ef83f2b0f5f6a83d900','evt_54','user.created',0,4,54,1700199851775,0,1,1,3,1700199851775,'succeeded',NULL,1,1,1700199851808,200,1);
INSERT INTO "deliveries" VALUES('acct_0','wh_4','delivery_fd805ad2b168131486e22c3805699184','evt_56','payment.failed',0,4,56,1700155929621,0,1,1,3,1700155929621,'succeeded',NULL,1,1,1700155929791,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_02e0a09b04f63db588f68026b6a2b9c2','evt_10','order.completed',0,1,10,1700162827623,0,1,1,3,1700162827623,'succeeded',NULL,1,1,1700162827703,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_0587a816f165862b06c29c2fc74f224a','evt_26','order.created',0,1,26,1700047011934,0,1,1,3,1700047011934,'succeeded',NULL,1,1,1700047012050,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_2c0fa5e29599cec77a7b8ca970d964d0','evt_15','order.completed',0,1,15,1700173179363,0,1,1,3,1700173179363,'succeeded',NULL,1,1,1700173179374,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_2f9347a9fef40c2359f200b7fd3ea5b4','evt_30','user.created',0,1,30,1700159578902,0,1,3,3,1700204578902,'succeeded',NULL,1,3,1700204579028,200,3);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_31e5e50558ddf018958689613df55993','evt_45','user.created',0,1,45,1700199385359,0,1,1,3,1700199385359,'succeeded',NULL,1,1,1700199385361,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_a0d58fb17ea713de7c0d3cf498e3b096','evt_57','user.created',0,1,57,1700013377224,0,1,5,3,1700014278224,'succeeded',NULL,1,5,1700014278347,200,5);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_acdedfc9f44dfc1e631472c0157683b6','evt_31','user.created',0,1,31,1700171304666,0,1,1,3,1700171304666,'succeeded',NULL,1,1,1700171304696,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_b5475a9806bb895e6130d2cbc7759fa1','evt_5','order.created',0,1,5,1700160348092,99,0,1,1,1700205648092,'failed',NULL,0,1,1700205648189,503,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_bfbcb5e42c71cbd68d7bb3d83dc545f9','evt_24','order.completed',0,1,24,1700001437760,0,1,1,3,1700001437760,'succeeded',NULL,1,1,1700001437777,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_ced49e77015ce19edb5c244451df04e3','evt_25','order.created',0,1,25,1700202157432,0,0,1,1,1700202157432,'failed',1700202217432,0,1,1700202157577,404,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_f9c5870af0a0a063125efbffca2d706b','evt_51','order.completed',0,1,51,1700143510525,0,1,1,3,1700143510525,'succeeded',NULL,1,1,1700143510584,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_1','delivery_fa198d1303daa9cbd464e41dd153e200','evt_37','order.completed',0,1,37,1700018722618,0,0,4,2,1700062822618,'cancelled',NULL,0,3,1700062522676,503,3);
INSERT INTO "deliveries" VALUES('acct_1','wh_3','delivery_0bab5c80de47d0934fd8f6d27afe6834','evt_14','order.completed',0,3,14,1700050505117,0,1,1,3,1700050505117,'succeeded',NULL,1,1,1700050505187,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_3','delivery_26c5abf565b9c191ea566fac559d06ba','evt_38','order.completed',0,3,38,1700151387089,0,1,1,3,1700151387089,'succeeded',NULL,1,1,1700151387152,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_3','delivery_27f2571deccff753df5e4f149b5084f4','evt_22','order.created',0,3,22,1700028112362,0,1,3,3,1700114512362,'succeeded',NULL,1,3,1700114512484,200,3);
INSERT INTO "deliveries" VALUES('acct_1','wh_3','delivery_41d44f468bc76e54d1be10f67706f101','evt_16','user.created',1,3,16,1700019938051,0,1,1,3,1700019938051,'succeeded',NULL,1,1,1700019938069,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_3','delivery_690173ff2310fa94c268f8bc0acc1650','evt_18','user.created',0,3,18,1700032227929,0,1,1,3,1700032227929,'succeeded',NULL,1,1,1700032228095,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_3','delivery_a475316b704a4651127cee15bcf66ada','evt_11','user.created',0,3,11,1700124208654,256,1,1,3,1700168010654,'succeeded',NULL,1,1,1700168010928,200,1);
INSERT INTO "deliveries" VALUES('acct_1','wh_3','delivery_de5f55c7e6b929ebb237b6eb7b88c798','evt_8','order.completed',0,3,8,1700133318557,0,1,1,3,1700133318557,'succeeded',NULL,1,1,1700133318731,200,1);
CREATE TABLE offsets (
	topic TEXT NOT NULL, 
	partition INTEGER NOT NULL, 
	next_offset BIGINT NOT NULL, 
	PRIMARY KEY (topic, partition)
)
 WITHOUT ROWID

;
INSERT INTO "offsets" VALUES('webhooks.attempts',0,111);
INSERT INTO "offsets" VALUES('webhooks.audit',2,8);
CREATE INDEX audit_of_subject ON audit (subject, at_ms, audit_id);
CREATE INDEX audit_newest ON audit (at_ms, audit_id);
CREATE INDEX deliveries_newest ON deliveries (account_id, subscription_id, first_at_ms, delivery_id);
COMMIT;
