# SCIM 2.0: users and groups as a directory makes and changes them, what that
# means for the people themselves, and what is refused.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Scim;
use ProxyUser::Store;
use Test::More;

use Digest::SHA qw(sha256);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $redis = redis_start();
my $nginx = scim_nginx(scim => 'if ($arg_if) { set $x 1; }', roles => <<'END');
proxy_user_scim_role "Editors" editor reader;
proxy_user_scim_role "Readers" reader;
END

# Nothing but the store's own id, which nginx may have seen.
sub fresh {
    my $store = redis('HGET', '{pu}:meta', 'store');

    redis('FLUSHALL');
    redis('HSET', '{pu}:meta', 'store', $store) if defined $store;
}

sub status { $_[0]{status} . ($_[0]{type} ? " $_[0]{type}" : '') }

sub digest { encode_base64url(sha256($_[0])) }

sub version { redis('HGET', "{pu}:user:$_[0]", 'version') }

# The user names that a filter finds, in order.
sub found {
    my ($filter, $more) = @_;
    my $r = scim('GET', '/Users?filter=' . uri_escape($filter)
                        . ($more // ''));
    return status($r) unless $r->{status} == 200;
    return join ' ', sort map { $_->{userName} } @{ $r->{json}{Resources} };
}


subtest 'who may ask' => sub {
    fresh();

    for my $case (['no token', undef], ['a wrong one', 'x'],
                  ['an empty one', ''], ['another case', uc $SECRET])
    {
        my ($what, $token) = @$case;
        my $r = scim('GET', '/Users', undef, token => $token);
        is($r->{status}, 401, $what);
        like($r->{headers}{'www-authenticate'}, defined $token
             ? qr/^Bearer realm="[^"]*", error="invalid_token", error_desc/
             : qr/^Bearer realm="[^"]*"\z/, 'with a challenge');
        is($r->{headers}{'content-type'}, 'application/scim+json', 'as SCIM');
        is($r->{json}{status}, '401', 'and its error');
    }

    is(scim('GET', '/Users', undef, token => undef,
            Authorization => "Basic $SECRET")->{status}, 401, 'no scheme');
    is(scim('GET', '/Users', undef, token => undef,
            Authorization => "bearer $SECRET")->{status}, 200, 'any case');
    is(scim('GET', '/Users', undef, token => undef,
            Authorization => $_)->{status}, 401, 'in no other form')
        for "Bearer  $SECRET", "Bearer $SECRET,$SECRET", "DPoP $SECRET",
            "\tBearer $SECRET", "Bearer$SECRET";
    is(scim('GET', '/Users', undef, token => "$SECRET-2")->{status}, 200,
       'the other directory');
    is(scim('GET', '/Users?if=1')->{status}, 200, 'within an "if"');
    unlike($nginx->log, qr/\Q$SECRET\E/, 'no token in the log');
};


subtest 'a user is made' => sub {
    fresh();
    my $r = scim('POST', '/Users', {
        schemas => [$CORE_USER, $ENTERPRISE], userName => 'Ada@example.com',
        externalId => 'ext-1', id => 'mine', password => 'secret-word',
        name => { givenName => 'Ada', familyName => 'Byron' },
        emails => [{ value => 'ada@example.com', type => 'work',
                     primary => 'True' }],
        groups => [], meta => { resourceType => 'User' }, shoeSize => 38,
        $ENTERPRISE => { department => 'Engines' },
        'urn:example:custom:1.0:User' => { locker => 'b7' },
    });

    is($r->{status}, 201, 'created');
    my $id = $r->{json}{id};
    like($id, qr/^u_[\w-]{22}$/, 'with an id of ours');
    is($r->{headers}{location}, "http://localhost/scim/v2/Users/$id",
       'Location');
    is($r->{headers}{etag}, 'W/"1"', 'ETag');
    is($r->{json}{meta}{version}, 'W/"1"', 'the same inside');
    is($r->{json}{meta}{location}, $r->{headers}{location}, 'location');
    like($r->{json}{meta}{created}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
         'when');
    is_deeply($r->{json}{active}, $true, 'active');
    is_deeply($r->{json}{emails}[0]{primary}, $true, 'a real boolean');
    is($r->{json}{shoeSize}, 38, 'what nobody knows is kept');
    is($r->{json}{'urn:example:custom:1.0:User'}{locker}, 'b7', 'in a URN');
    ok((grep { $_ eq 'urn:example:custom:1.0:User' }
        @{ $r->{json}{schemas} }), 'which is among the schemas');
    ok(!exists $r->{json}{password}, 'no password');
    unlike(join(' ', @{ redis('HVALS', "{pu}:user:$id") }), qr/secret-word/,
           'nor in Redis');

    is(field($id, 'user_name'), 'Ada@example.com', 'user_name');
    is(field($id, 'external_id'), 'ext-1', 'external_id');
    is(field($id, 'name'), 'Ada Byron', 'a name for people');
    is(field($id, 'source'), 'scim', 'source');
    is(redis('GET', '{pu}:name:' . digest('ada@example.com')), $id, 'index');

    my ($entry) = log_entries(1);
    is_deeply($entry, { op => 'create', user => $id, handle => '',
                        version => 1, actor => 'okta', source => 'scim',
                        reason => '' }, 'one entry, by the name of the token');

    my $same = scim('GET', "/Users/$id")->{json};
    delete $_->{meta}{lastModified} for $same, $r->{json};
    is_deeply($same, $r->{json}, 'read again it is the same');

    is(status(scim('POST', '/Users', { userName => 'ADA@example.COM' })),
       '409 uniqueness', 'unique in any case');
    is(redis('ZCARD', '{pu}:users'), 1, 'and nobody was made');
};


subtest 'what is no user' => sub {
    fresh();

    for my $case (
        ['no userName', { active => $true }, '400 invalidValue'],
        ['an empty one', { userName => '' }, '400 invalidValue'],
        ['null', { userName => undef }, '400 invalidValue'],
        ['a number', { userName => 5 }, '400 invalidValue'],
        ['a control', { userName => "a\nb" }, '400 invalidValue'],
        ['a long one', { userName => 'a' x 1025 }, '400 invalidValue'],
        ['active maybe', { userName => 'a', active => 'maybe' },
         '400 invalidValue'],
        ['active null by its URN', { userName => 'a',
            'urn:ietf:params:scim:schemas:core:2.0:User:active' => undef },
         '400 invalidValue'],
        ['active null', { userName => 'a', active => undef },
         '400 invalidValue'],
        ['active 0', { userName => 'a', active => 0 }, '400 invalidValue'],
        ['a name', { userName => 'a', name => 'Ada' }, '400 invalidValue'],
        ['schemas', { userName => 'a', schemas => 'x' }, '400 invalidSyntax'],
        ['twice', '{"userName":"a","username":"b"}', '400 invalidSyntax'],
        ['twice the same', '{"userName":"a","userName":"b"}',
         '400 invalidSyntax'],
        ['cut', '{"userName":', '400 invalidSyntax'],
        ['an array', '[]', '400 invalidSyntax'],
        ['nothing', '', '400 invalidSyntax'],
        ['large', { userName => 'a', note => 'x' x 70000 },
         '400 invalidValue'],
    ) {
        my ($what, $body, $expected) = @$case;
        is(status(scim('POST', '/Users', $body)), $expected, $what);
    }

    is(scim('POST', '/Users', { userName => 'a' },
            'Content-Type' => 'text/plain')->{status}, 415, 'a text');
    is(redis('EXISTS', '{pu}:users', '{pu}:log'), 0, 'nothing was written');
    is(scim('POST', '/Users', { userName => 'a' },
            'Content-Type' => 'application/json')->{status}, 201, 'JSON');
};


subtest 'active is false, however it is said' => sub {
    fresh();
    my $n = 0;
    my %whole = (schemas => [$CORE_USER], displayName => 'x');

    my @ways = (
        ['false', sub { patch($_[0], [replace => 'active', $false]) }],
        ['"False"', sub { patch($_[0], [Replace => 'active', 'False']) }],
        ['"false"', sub { patch($_[0], [REPLACE => 'Active', 'false']) }],
        ['["false"]', sub { patch($_[0], [add => 'active', ['false']]) }],
        ['no path', sub { patch($_[0], [replace => undef,
                                        { active => $false }]) }],
        ['no path, a string', sub { patch($_[0], [Add => undef,
                                        { ACTIVE => 'False' }]) }],
        ['whole name', sub { patch($_[0], [replace => "$CORE_USER:active",
                                           $false]) }],
        ['an empty path', sub { patch($_[0], [replace => '',
                                        { active => $false }]) }],
        ['after others', sub { patch($_[0], [replace => 'title', 'x'],
            [replace => 'active', $true], [replace => 'active', $false]) }],
        ['PUT', sub { scim('PUT', $_[0], { %whole, userName => $_[1],
                                           active => $false }) }],
        ['PUT "False"', sub { scim('PUT', $_[0], { %whole,
                          userName => $_[1], active => 'False' }) }],
        ['PUT ["false"]', sub { scim('PUT', $_[0], { %whole,
                          userName => $_[1], active => ['false'] }) }],
        ['no schemas', sub { scim('PATCH', $_[0], { operations =>
                          [{ op => 'replace', value => { active => $false } }
                          ] }) }],
        ['bulk', sub { my $r = scim('POST', '/Bulk', { Operations => [{
                          method => 'PATCH', path => $_[0], data =>
                          { Operations => [{ op => 'replace',
                            path => 'active', value => 'False' }] } }] });
                       return { status =>
                          $r->{json}{Operations}[0]{status} } }],
    );

    for my $way (@ways) {
        my ($what, $do) = @$way;
        my $name = 'user-' . ++$n;
        my $id = make_user($name);
        my $before = redis('XLEN', '{pu}:log');
        is($do->("/Users/$id", $name)->{status}, 200, $what);
        is(field($id, 'state'), 'suspended', "$what: suspended");
        is(redis('XLEN', '{pu}:log') - $before, 1, "$what: one entry");
        is(log_ops(1), 'suspend', "$what: which says so");
        is_deeply(scim('GET', "/Users/$id")->{json}{active}, $false,
                  "$what: shown");
    }

    my $id = make_user('made-so', active => 'False');
    is(field($id, 'state'), 'suspended', 'made suspended');
};


subtest 'what does not say it is refused, and changes nothing' => sub {
    fresh();
    my $id = make_user('ada', title => 'a');

    for my $case (
        ['maybe', [replace => 'active', 'maybe'], 'invalidValue'],
        ['null', [replace => 'active', undef], 'invalidValue'],
        ['null without a path', [replace => undef, { active => undef }],
         'invalidValue'],
        ['a number', [replace => 'active', 0], 'invalidValue'],
        ['removed', [remove => 'active'], 'invalidValue'],
        ['two', [replace => 'active', ['false', 'true']], 'invalidValue'],
        ['an unknown op', [move => 'active', $false], 'invalidSyntax'],
        ['remove without a path', ['remove', undef], 'noTarget'],
        ['id', [replace => 'id', 'x'], 'mutability'],
        ['groups', [add => 'groups', [{ value => 'x' }]], 'mutability'],
        ['meta', [replace => 'meta.version', 'x'], 'mutability'],
        ['a path', [replace => 'emails[type eq', 'x'], 'invalidPath'],
        ['a number as path', [replace => '1x', 'x'], 'invalidPath'],
        ['userName removed', [remove => 'userName'], 'invalidValue'],
        ['userName empty', [replace => 'userName', ''], 'invalidValue'],
        ['a string as an object', [replace => undef, 'x'], 'invalidValue'],
        ['no target', [replace => 'emails[type pr].value', 'x'], 'noTarget'],
    ) {
        my ($what, $operation, $type) = @$case;
        my $r = patch("/Users/$id", [replace => 'title', 'b'], $operation);
        is(status($r), "400 $type", $what);
    }

    is(status(scim('PUT', "/Users/$id", { userName => 'ada',
                                          active => undef })),
       '400 invalidValue', 'PUT with null');
    is(status(scim('PATCH', "/Users/$id", { Operations => [] })),
       '400 invalidSyntax', 'no operation');
    is(version($id), 1, 'nothing was changed');
    is(scim('GET', "/Users/$id")->{json}{title}, 'a', 'not even half');
};


subtest 'a suspended user comes back only as he went' => sub {
    fresh();
    my $id = make_user('ada');

    patch("/Users/$id", [replace => 'active', $false]);
    is(scim('PUT', "/Users/$id", { userName => 'ada' })->{status}, 200,
       'PUT without a word of it');
    is(field($id, 'state'), 'suspended', 'stays suspended');
    patch("/Users/$id", [replace => 'active', 'True']);
    is(field($id, 'state'), 'active', 'is let in again');

    suspend($id);
    my $r = patch("/Users/$id", [replace => 'active', $true]);
    is($r->{status}, 200, 'what somebody else has suspended');
    is_deeply($r->{json}{active}, $false, 'is not active');
    is(field($id, 'state'), 'suspended', 'and is not let in');

    patch("/Users/$id", [replace => 'title', 'x']);
    is(field($id, 'suspended_by'), 'cli', 'a title is no suspension');
};


subtest 'PUT and PATCH' => sub {
    fresh();
    my $id = make_user('ada', title => 'Countess', nickName => 'A',
                       emails => [{ value => 'a@x', type => 'work' },
                                  { value => 'b@x', type => 'home' }]);

    my $r = patch("/Users/$id",
        [replace => 'emails[type eq "work"].value', 'c@x'],
        [Add => 'emails', [{ value => 'd@x', type => 'other' }]],
        [remove => 'emails[type eq "home"]'],
        [replace => 'name.familyName', 'Byron'],
        [replace => undef, { 'name.givenName' => 'Ada', nickname => 'Ad',
            "$ENTERPRISE:employeeNumber" => '17',
            $ENTERPRISE => { costCenter => '5' } }],
        [add => "$ENTERPRISE:manager", '271'],
        [replace => 'phoneNumbers[type eq "mobile"].value', '555'],
        [remove => 'title'], [add => 'favouriteColour', 'red']);

    is($r->{status}, 200, 'many operations');
    my $u = $r->{json};
    is_deeply($u->{emails}, [{ value => 'c@x', type => 'work' },
                             { value => 'd@x', type => 'other' }], 'emails');
    is_deeply($u->{name}, { familyName => 'Byron', givenName => 'Ada' },
              'name');
    is($u->{nickName}, 'Ad', 'a name in another case is the same');
    is_deeply($u->{$ENTERPRISE}, { employeeNumber => '17', costCenter => '5',
                                   manager => { value => '271' } },
              'the extension');
    is_deeply($u->{phoneNumbers}, [{ type => 'mobile', value => '555' }],
              'what no value passes is made');
    ok(!exists $u->{title}, 'removed');
    is($u->{favouriteColour}, 'red', 'unknown');
    is($r->{headers}{etag}, 'W/"2"', 'one change');
    is(redis('XLEN', '{pu}:log'), 2, 'one entry');

    is(patch("/Users/$id", [replace => 'id', $id])->{status}, 200,
       'saying what is so');
    is(patch("/Users/$id", [replace => 'nickName', 'Ad'])->{headers}{etag},
       'W/"2"', 'is no change');

    $r = scim('PUT', "/Users/$id", { userName => 'Ada2', id => 'x' });
    is($r->{status}, 200, 'PUT');
    ok(!exists $r->{json}{$_}, "no $_ any more")
        for 'emails', 'nickName', $ENTERPRISE, 'favouriteColour';
    is($r->{json}{id}, $id, 'the id stays');
    is(found('userName eq "ada"'), '', 'the old name is free');
    is(found('userName eq "ADA2"'), 'Ada2', 'the new one is found');

    make_user('bob');
    is(status(scim('PUT', "/Users/$id", { userName => 'BOB' })),
       '409 uniqueness', 'somebody else\'s name');
    is(status(patch("/Users/$id", [replace => 'userName', 'Bob'])),
       '409 uniqueness', 'by PATCH');
    is(scim('PUT', '/Users/' . user_id(77), { userName => 'x' })->{status},
       404, 'nobody');
};


subtest 'versions' => sub {
    fresh();
    my $id = make_user('ada');
    my $body = { userName => 'ada', title => 'x' };

    is(scim('GET', "/Users/$id", undef, 'If-None-Match' => 'W/"1"')->{status},
       304, 'not modified');
    is(scim('GET', "/Users/$id", undef, 'If-None-Match' => 'W/"2"')->{status},
       200, 'modified');
    is(scim('PUT', "/Users/$id", $body, 'If-Match' => 'W/"9"')->{status},
       412, 'PUT of another version');
    is(scim('DELETE', "/Users/$id", undef, 'If-Match' => '"9"')->{status},
       412, 'DELETE of another');
    is(version($id), 1, 'nothing was changed');
    is(scim('PUT', "/Users/$id", $body, 'If-Match' => 'W/"1"')->{status},
       200, 'of this one');
    is(scim('PUT', "/Users/$id", { userName => 'ada' },
            'If-Match' => '*')->{status}, 200, 'of any');
    is(scim('PATCH', "/Users/$id", { schemas => [$PATCH_OP], Operations =>
            [{ op => 'replace', path => 'title', value => 'y' }] },
            'If-Match' => 'W/"9", W/"3"')->{status}, 200, 'one of two');
    is(scim('DELETE', "/Users/$id", undef,
            'If-Match' => 'W/"1", W/"4"')->{status}, 204, 'DELETE too');
};


subtest 'deleted is gone' => sub {
    fresh();
    my $id = make_user('ada', externalId => 'e');

    is(scim('DELETE', "/Users/$id")->{status}, 204, 'deleted');
    is(field($id, 'state'), 'deleted', 'is deleted');
    is(log_ops(1), 'delete', 'an entry');
    is(scim($_->[0], "/Users/$id", $_->[1])->{status}, 404, $_->[0])
        for ['GET'], ['DELETE'], ['PUT', { userName => 'ada' }],
            ['PATCH', { Operations => [{ op => 'replace', path => 'active',
                                         value => $true }] }];
    is(scim('GET', '/Users')->{json}{totalResults}, 0, 'not in the list');
    is(found('externalId eq "e"'), '', 'not found');

    my $new = make_user('ADA', externalId => 'e');
    isnt($new, $id, 'made again it is somebody else');
};


subtest 'lists and filters' => sub {
    fresh();
    my %id = map {
        ($_->[0] => make_user($_->[0], externalId => "x-$_->[0]",
                              userType => $_->[1], title => $_->[2],
                              emails => [{ value => "$_->[0]\@example.com",
                                           type => 'work' }]))
    } ['ann', 'Employee', 'Boss'], ['bea', 'Employee', undef],
      ['cid', 'Guest', undef], ['don', 'Guest', 'Boss'];
    patch("/Users/$id{don}", [replace => 'active', $false]);

    for my $case (
        ['userName eq "ANN"', 'ann'],
        ['USERNAME Eq "ann"', 'ann'],
        ["$CORE_USER:userName eq \"ann\"", 'ann'],
        ['userName eq "nobody"', ''],
        ['userName eq "\u0061nn"', 'ann'],
        ['externalId eq "x-bea"', 'bea'],
        ['externalId eq "X-bea"', ''],
        ["id eq \"$id{cid}\"", 'cid'],
        ['id eq "x"', ''],
        ['userName eq "ann" and externalId eq "x-ann"', 'ann'],
        ['userName eq "ann" and externalId eq "x-bea"', ''],
        ['userName eq "ann" or userName eq "bea"', 'ann bea'],
        ['userName sw "A"', 'ann'],
        ['userName ew "d"', 'cid'],
        ['userName co "n"', 'ann don'],
        ['userName ne "ann"', 'bea cid don'],
        ['userName gt "bea"', 'cid don'],
        ['userName le "bea"', 'ann bea'],
        ['title pr', 'ann don'],
        ['not (title pr)', 'bea cid'],
        ['active eq false', 'don'],
        ['active eq "False"', 'don'],
        ['title eq null', 'bea cid'],
        ['userType eq "guest" and (title pr or userName eq "cid")',
         'cid don'],
        ['userType eq "guest" or title pr and userName eq "ann"',
         'ann cid don'],
        ['emails[type eq "work" and value sw "bea"]', 'bea'],
        ['emails[type eq "home" and value sw "bea"]', ''],
        ['emails[type eq "work"].value eq "bea@example.com"', 'bea'],
        ['emails.value co "don@"', 'don'],
        ['emails co "don@"', 'don'],
        ['meta.created gt "2011-05-13T04:42:34Z"', 'ann bea cid don'],
        ['meta.lastModified lt "2011-05-13T04:42:34+02:00"', ''],
        ["schemas eq \"$CORE_USER\"", 'ann bea cid don'],
        ['nosuch pr', ''],
        ['', 'ann bea cid don'],
        ['userName eq', '400 invalidFilter'],
        ['userName eq ann', '400 invalidFilter'],
        ['userName eq "ann', '400 invalidFilter'],
        ['(userName eq "ann"', '400 invalidFilter'],
        ['userName eq "ann")', '400 invalidFilter'],
        ['userName == "ann"', '400 invalidFilter'],
        ['userName eq "ann" and', '400 invalidFilter'],
        ['active gt true', '400 invalidFilter'],
        ['password eq "x"', '400 invalidFilter'],
        ['emails[type eq "work"', '400 invalidFilter'],
    ) {
        is(found($case->[0]), $case->[1], $case->[0] || 'an empty one');
    }

    my $r = scim('GET', '/Users/?filter=userName+eq+%22ann%22');
    is($r->{json}{totalResults}, 1, 'a plus, and a slash too many');

    for my $case (['', 1, 4, 4], ['startIndex=2&count=2', 2, 2, 4],
                  ['startIndex=0&count=1', 1, 1, 4],
                  ['startIndex=-3&count=-1', 1, 0, 4],
                  ['count=0', 1, 0, 4], ['startIndex=99', 99, 0, 4],
                  ['count=2147483648', 1, 4, 4],
                  ['count=99999999999999999999', 1, 4, 4],
                  ['filter=title%20pr&count=1', 1, 1, 2],
                  ['filter=title%20pr&startIndex=2', 2, 1, 2])
    {
        my ($query, $start, $n, $total) = @$case;
        $r = scim('GET', "/Users?$query")->{json};
        is_deeply([@$r{qw(startIndex itemsPerPage totalResults)},
                   scalar @{ $r->{Resources} }], [$start, $n, $total, $n],
                  $query || 'all');
    }

    is(status(scim('GET', "/Users?$_")), '400 invalidValue', $_)
        for 'count=abc', 'startIndex=1.5', 'count=';

    my $names = sub {
        return join ' ', map { $_->{userName} }
            @{ scim('GET', "/Users?$_[0]")->{json}{Resources} };
    };

    is($names->('sortBy=userName&sortOrder=descending'), 'don cid bea ann',
       'sorted down');
    like($names->('sortBy=title'), qr/^(?:ann|don) (?:ann|don) /,
         'without a value: last');
    is($names->('sortBy=userName&startIndex=2&count=2'), 'bea cid', 'a page');
    is($names->('sortBy=emails&filter=userType%20eq%20%22Guest%22'),
       'cid don', 'and filtered');

    is_deeply([sort keys %{ scim('GET', "/Users/$id{ann}?attributes=userName,"
                                 . 'emails.value')->{json} }],
              [sort qw(schemas id userName emails)], 'attributes');
    $r = scim('GET', "/Users?excludedAttributes=emails,id,meta.created")
        ->{json}{Resources}[0];
    ok(!exists $r->{emails}, 'excluded');
    ok(exists $r->{id}, 'not the id');
    ok(!exists $r->{meta}{created} && exists $r->{meta}{location}, 'a part');

    $r = scim('POST', '/Users/.search', { filter => 'userName sw "a"',
                                          attributes => ['userName'] });
    is($r->{json}{Resources}[0]{userName}, 'ann', 'a search by POST');
    is(scim('POST', '/.search', {})->{status}, 501, 'not of everything');

    my ($token, $id) = a_user();
    is(found("userName eq \"$id\""), $id, 'who has no userName has an id');
    is(patch("/Users/$id", [add => 'title', 'x'])->{status}, 200, 'changed');
    is(field($id, 'user_name') // '', '', 'and has none still');
    is(verdict($nginx, $token), '200 ok', 'and comes in');
};


subtest 'groups give roles' => sub {
    fresh();
    my $ada = make_user('ada');
    my $bob = make_user('bob');

    my $r = scim('POST', '/Groups', { schemas => [$CORE_GROUP],
        displayName => 'Editors', externalId => 'g-1', note => 'kept',
        members => [{ value => $ada, '$ref' => undef },
                    { value => user_id(99) }] });
    is($r->{status}, 201, 'made');
    my $group = $r->{json}{id};
    is($r->{headers}{location}, "http://localhost/scim/v2/Groups/$group",
       'Location');
    is_deeply([map { $_->{value} } @{ $r->{json}{members} }], [$ada],
              'who is nobody is no member');
    is($r->{json}{note}, 'kept', 'what nobody knows is kept');
    is(roles_of($ada), 'editor reader', 'the roles of the line');
    my ($entry) = grep { $_->{user} eq $ada } log_entries(2);
    is("$entry->{op} $entry->{actor} $entry->{source}", 'grant okta scim',
       'a grant');
    is_deeply(scim('GET', "/Users/$ada")->{json}{groups}, [{ value => $group,
        '$ref' => "http://localhost/scim/v2/Groups/$group",
        type => 'direct' }], 'the user says so');

    my $readers = make_group('Readers', $ada);
    is(patch("/Groups/$group", [Remove => 'members',
             [{ '$ref' => undef, value => $ada }]])->{status}, 204,
       'a PATCH answers nothing');
    is(roles_of($ada), 'reader', 'what another group gives stays');
    is(patch("/Groups/$readers", [remove => "members[value eq \"$ada\"]"])
       ->{status}, 204, 'out of both');
    is(roles_of($ada), '', 'nothing is left');

    patch("/Groups/$group", [add => 'members', [map { { value => $_ } }
                                                $ada, $bob]]);
    $r = patch("/Groups/$group", [remove => 'members', [{ value => $ada }]]);
    is($r->{status}, 204, 'a list of values');
    is(roles_of($bob), 'editor reader', 'takes only those named');
    is(roles_of($ada), '', 'but those');

    patch("/Groups/$group", [replace => 'members', [{ value => $ada }]],
          [replace => undef, { id => $group, displayName => 'Readers' }]);
    is(roles_of($ada) . '|' . roles_of($bob), 'reader|',
       'replaced, and renamed to what gives less');
    patch("/Groups/$group", ['remove', 'members']);
    is(roles_of($ada), '', 'all of them');

    $r = scim('PUT', "/Groups/$group", { displayName => 'Editors',
                                         members => [{ value => $bob }] });
    is($r->{status}, 200, 'PUT answers the group');
    is_deeply([map { $_->{value} } @{ $r->{json}{members} }], [$bob], 'all');
    is(roles_of($bob), 'editor reader', 'with roles');
    scim('PUT', "/Groups/$group", { displayName => 'Editors' });
    is(roles_of($bob), '', 'a PUT without members has none');

    my $odd = make_group("Ünknown / group", $bob);
    is(roles_of($bob), '', 'a group without a line gives nothing');
    is(scim('GET', "/Groups/$odd")->{json}{displayName}, "Ünknown / group",
       'and is kept');

    is(scim('GET', '/Groups?filter=displayName%20eq%20%22editors%22'
            . '&excludedAttributes=members')->{json}{totalResults}, 1,
       'found by name');
    ok(!exists scim('GET', "/Groups/$odd?excludedAttributes=members")
       ->{json}{members}, 'without members');
    my ($listed) = grep { $_->{id} eq $odd }
        @{ scim('GET', '/Groups')->{json}{Resources} };
    is($listed->{members}[0]{value}, $bob, 'a list has members');
    is(status(scim('GET', '/Groups?filter=members%20pr')),
       '400 invalidFilter', 'not found by members');

    is(scim('GET', "/Groups/$odd", undef, 'If-None-Match' => 'W/"1"')
       ->{status}, 304, 'not modified');
    is(scim('PUT', "/Groups/$odd", { displayName => 'x' },
            'If-Match' => 'W/"7"')->{status}, 412, 'another version');
    is(status(patch("/Groups/$odd", [replace => 'id', 'x'])),
       '400 mutability', 'the id');
    is(status(patch("/Groups/$odd", [add => 'members', [{ x => 1 }]])),
       '400 invalidValue', 'no member');
    is(status(patch("/Groups/$odd", [add => 'members[value eq "x"].y', 1])),
       '400 invalidPath', 'no path');
    is(status(scim('POST', '/Groups', { members => [] })),
       '400 invalidValue', 'no displayName');

    patch("/Groups/$group", [add => 'members', [{ value => $bob }]]);
    scim('DELETE', "/Users/$bob");
    is_deeply(scim('GET', "/Groups/$group")->{json}{members}, [],
              'the deleted are no members');
    patch("/Groups/$group", [add => 'members', [{ value => $ada }]]);
    is(scim('DELETE', "/Groups/$group")->{status}, 204, 'a group is deleted');
    is(roles_of($ada), '', 'and what it gave with it');
    is(scim($_, "/Groups/$group")->{status}, 404, "$_ afterwards")
        for 'GET', 'DELETE';
};


subtest 'what the command gave stays' => sub {
    fresh();
    my $id = make_user('ada');
    my $group = make_group('Readers', $id);

    proxy_user(qw(user grant), $id, 'reader');
    scim('DELETE', "/Groups/$group");
    is(roles_of($id), 'reader', 'the command\'s grant');
};


subtest 'bulk' => sub {
    fresh();
    my $r = scim('POST', '/Bulk', { failOnErrors => 4, Operations => [
        { method => 'POST', path => '/Groups', bulkId => 'g', data => {
            displayName => 'Editors',
            members => [{ value => 'bulkId:a' }] } },
        { method => 'POST', path => '/Users', bulkId => 'a',
          data => { userName => 'ada' } },
        { method => 'POST', path => '/Users', bulkId => 'b',
          data => { userName => 'ADA' } },
        { method => 'PATCH', path => '/Users/bulkId:a', data =>
          [{ op => 'replace', path => 'title', value => 'x' }] },
        { method => 'PUT', path => '/Users/bulkId:b',
          data => { userName => 'x' } },
        { method => 'DELETE', path => '/Users/' . user_id(9) },
        { method => 'GET', path => '/Users' },
        { method => 'PUT', path => '/Users/bulkId:a', version => 'W/"9"',
          data => { userName => 'x' } },
    ] });
    is($r->{status}, 200, 'done');
    my @done = @{ $r->{json}{Operations} };
    is(join(' ', map { $_->{status} } @done),
       '201 201 409 200 404 400 412', 'each for itself, until four failed');
    my $id = $done[1]{location} =~ s{.*/}{}r;
    is(roles_of($id), 'editor reader', 'what waits for another is done');
    is($done[1]{version}, 'W/"1"', 'a version');
    is($done[2]{response}{scimType}, 'uniqueness', 'an error of its own');
    ok(!exists $done[2]{location}, 'and nowhere a user that was not made');
    like($done[6]{location}, qr{/Users/$id\z}, 'what a PUT left as it was');
    is(scim('GET', "/Users/$id")->{json}{title}, 'x', 'changed');

    $r = scim('POST', '/Bulk', { Operations => [
        { method => 'POST', path => '/Groups', bulkId => 'x', data => {
            displayName => 'A', members => [{ value => 'bulkId:y' }] } },
        { method => 'POST', path => '/Groups', bulkId => 'y', data => {
            displayName => 'B', members => [{ value => 'bulkId:x' }] } } ] });
    is(join(' ', map { $_->{status} } @{ $r->{json}{Operations} }),
       '409 409', 'a ring');
    is(status(scim('POST', '/Bulk', { Operations => 'x' })),
       '400 invalidSyntax', 'no operations');
    is(scim('GET', '/Bulk')->{status}, 405, 'only POST');
};


subtest 'another store' => sub {
    fresh();
    my ($token) = a_user();
    is(verdict($nginx, $token), '200 ok', 'nginx has seen the store');
    redis('FLUSHALL');
    my $r = scim('POST', '/Users', { userName => 'ada' });
    is($r->{status}, 503, 'nobody is made');
    is($r->{headers}{'retry-after'}, 1, 'for now');
    is(redis('DBSIZE'), 0, 'nothing was written');
    proxy_user(qw(doctor --accept-store));
    is(scim('POST', '/Users', { userName => 'ada' })->{status}, 201,
       'until somebody accepts it');
};


subtest 'what there is' => sub {
    my $config = scim('GET', '/ServiceProviderConfig');
    is($config->{status}, 200, 'ServiceProviderConfig');
    is($config->{json}{bulk}{maxOperations}, 1000, 'bulk');
    is($config->{json}{filter}{maxResults}, 200, 'filter');
    is_deeply($config->{json}{etag}{supported}, $true, 'etag');
    is(scim('GET', '/ResourceTypes')->{json}{totalResults}, 2, 'types');
    is(scim('GET', '/ResourceTypes/User')->{json}{endpoint}, '/Users', 'one');
    is(scim('GET', '/Schemas')->{json}{totalResults}, 3, 'schemas');
    is(scim('GET', "/Schemas/$ENTERPRISE")->{json}{id}, $ENTERPRISE, 'one');
    is(scim('GET', '/Schemas?filter=id%20pr')->{status}, 403, 'no filter');
    my $r = scim('POST', '/Schemas', {});
    is("$r->{status} $r->{headers}{allow}", '405 GET, HEAD', 'only GET');
    is(scim('GET', '/Me')->{status}, 501, 'no /Me');
    is(scim('GET', "/$_")->{status}, 404, "/$_")
        for '', 'x', 'Users/u_1', 'Users/u_1/x', 'Schemas/x', 'users1';
    is(scim('PATCH', '/Users', {})->{status}, 405, 'PATCH of all');
    is(scim('POST', '/Users/x', {})->{status}, 405, 'POST of one');
    is(scim('HEAD', '/Users')->{status}, 200, 'HEAD');
};


subtest 'without a line a displayName is its role' => sub {
    fresh();
    scim_nginx();
    my $id = make_user('ada');
    make_group('editor', $id);
    make_group('No Role', $id);
    is(roles_of($id), 'editor', 'only if it is one');
};


done_testing();
